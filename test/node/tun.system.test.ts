// The data path of the device: batches in, gathered packets out, offloads, loss of the device.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TxFlag } from '../../src/base/tx.ts';
import { LinkCap } from '../../src/link/link.ts';
import { expectEchoed, Lab, sleep, until } from '../system/netns.ts';
import { program, Station, started, US, udpHeader, words } from './rig.ts';

/** Whether this kernel lets us have an io_uring; a sandbox's filter often does not. */
const RING_KNOB = '/proc/sys/kernel/io_uring_disabled';
const RINGS =
  existsSync(RING_KNOB) &&
  readFileSync(RING_KNOB, 'latin1').trim() === '0' &&
  /^Seccomp:\s*0$/m.test(readFileSync('/proc/self/status', 'latin1'));

let lab: Lab;
let station: Station;

beforeAll(() => {
  lab = new Lab();
  station = new Station({ name: 'pt0', netns: lab.name });
  station.link.configure({ addresses: [{ address: '10.77.0.1', prefix: 24 }], up: true });
});
afterAll(() => {
  station?.link.close();
  lab?.close();
});

const sendCode = (count: number, size: number, port: number): string => `
  const s = require('node:dgram').createSocket('udp4');
  let left = ${count};
  const next = () => left-- === 0 ? s.close() :
    s.send(Buffer.alloc(${size}, 'k'), ${port}, '${US}', next);
  next();`;
const node = (code: string): string[] => [process.execPath, '-e', code];

/** A UDP socket of the kernel's that prints the length and first octet of each datagram. */
function listener(port: number, count: number) {
  const code = `
    const s = require('node:dgram').createSocket('udp4');
    let left = ${count};
    s.on('message', (m) => {
      const same = m.every((octet) => octet === m[0]);
      console.log(m.length, String.fromCharCode(m[0]), same);
      if (--left === 0) s.close();
    });
    s.bind(${port}, () => console.log('bound'));`;
  const child = lab.spawn(node(code));
  let out = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  return { child, lines: () => out.split('\n').filter(Boolean) };
}

describe('opening', () => {
  it('gets virtio-net headers and every offload of this kernel', () => {
    const { device, caps, mtu } = station.link;
    expect(device).toMatchObject({ name: 'pt0', netns: lab.name, created: true, mtu: 1500 });
    expect(device.index).toBeGreaterThan(1);
    expect(device.offloads).toEqual(expect.arrayContaining(['vnet-hdr', 'csum', 'tso4', 'tso6']));
    expect(caps & (LinkCap.TX_CSUM | LinkCap.TSO4 | LinkCap.TSO6)).toBe(7);
    expect(mtu).toBe(1500);
  });

  it('asks for no more than is wanted', () => {
    const plain = new Station({ name: 'pt1', netns: lab.name, vnetHdr: false });
    expect([plain.link.caps, plain.link.device.offloads]).toEqual([0, []]);
    plain.link.close();
    const some = new Station({ name: 'pt2', netns: lab.name, offloads: ['csum'] });
    expect(some.link.caps).toBe(LinkCap.TX_CSUM);
    expect(some.link.device.offloads).toEqual(['vnet-hdr', 'csum']);
    some.link.close();
  });
});

describe('receiving', () => {
  it('gives each packet a row whose octets lie in the slab', async () => {
    await lab.run(node(sendCode(3, 10, 9001)));
    await until('three datagrams', () => station.udp(9001).length === 3);
    for (const row of station.udp(9001)) {
      expect(row.len).toBe(38);
      expect(row.off % 64).toBe(0);
      expect(row.octets.subarray(28).toString()).toBe('kkkkkkkkkk');
      // A local sender leaves the sum to us: NEEDS_CSUM, UDP checksum at 20 + 6 (virtio 1.2 §5.1.6)
      expect(row).toMatchObject({ flags: 1, gsoType: 0, gsoSize: 0, csumStart: 20, csumOffset: 6 });
    }
  });

  it('brings packets that wait in one batch, at most 64', async () => {
    const from = station.batches.length;
    // Holds the event loop until all are sent, so that they wait in the kernel's queue of 500.
    const command = ['netns', 'exec', lab.name, ...node(sendCode(300, 10, 9002))];
    execFileSync('ip', command);
    await until('300 datagrams', () => station.udp(9002).length === 300);
    const batches = station.batches.slice(from);
    expect(Math.max(...batches)).toBe(64);
    expect(batches.length).toBeLessThan(10);
  });

  it('keeps their order, read one by one or several to a system call', () => {
    const before = station.link.stats().rxRinged;
    const numbered = `
      const s = require('node:dgram').createSocket('udp4');
      let i = 0;
      const next = () => i === 200 ? s.close() : s.send(Buffer.from([i++]), 9004, '${US}', next);
      next();`;
    execFileSync('ip', ['netns', 'exec', lab.name, ...node(numbered)]);
    return until('200 datagrams', () => station.udp(9004).length === 200).then(() => {
      const order = station.udp(9004).map(({ octets }) => octets[28]);
      expect(order).toEqual(Array.from({ length: 200 }, (_, i) => i));
      const ringed = station.link.stats().rxRinged - before;
      if (RINGS) expect(ringed).toBeGreaterThan(100);
    });
  });

  it('keeps ping -c 500 free of loss with answers that are gathered from a view', async () => {
    const pad = Buffer.alloc(64);
    station.answer = (row) => {
      if (row.octets[9] !== 1 || row.octets[20] !== 8) return false;
      const reply = Buffer.concat([pad, row.octets]).subarray(64); // an offset into a larger buffer
      reply.copy(reply, 12, 16, 20);
      row.octets.copy(reply, 16, 12, 16);
      reply[20] = 0;
      const sum = reply.readUInt16BE(22) + 0x0800; // RFC 1624: the type went down by 8
      reply.writeUInt16BE(sum > 0xffff ? sum - 0xffff : sum, 22);
      return station.send(reply.subarray(0, 28), [reply.subarray(28)], () => {});
    };
    const ping = await lab.run(['ping', '-q', '-c', '500', '-i', '0.002', US]);
    await expectEchoed(lab, ping, 500);
    station.answer = null;
  });
});

describe('transmitting', () => {
  it('leaves the checksum to the kernel (TxFlag.NEEDS_CSUM)', async () => {
    const peer = listener(9101, 2);
    await until('the listener', () => peer.lines().includes('bound'));
    const parts = [Buffer.alloc(100, 'a'), Buffer.alloc(0), Buffer.alloc(401, 'a')];
    const sumTogether = (tx: { l4: number; csumOffset: number; flags: number }): void => {
      tx.l4 = 20;
      tx.csumOffset = 6;
      tx.flags = TxFlag.NEEDS_CSUM;
    };
    station.send(udpHeader(9101, 501), parts, sumTogether);
    // The same without the flag arrives at the kernel with a wrong sum and is dropped there.
    station.send(udpHeader(9101, 501), parts, (tx) => {
      tx.l4 = 20;
    });
    station.send(udpHeader(9101, 3), [Buffer.from('bbb')], sumTogether);
    station.flush();
    await until('two datagrams', () => peer.lines().length === 3);
    expect(peer.lines()).toEqual(['bound', '501 a true', '3 b true']);
  });

  it('has the kernel cut a super-datagram (UDP_L4)', async () => {
    if ((station.link.caps & LinkCap.USO) === 0) return;
    const peer = listener(9102, 4);
    await until('the listener', () => peer.lines().includes('bound'));
    const parts = [Buffer.alloc(1000, 'c'), Buffer.alloc(1000, 'd'), Buffer.alloc(1000, 'e')];
    station.send(udpHeader(9102, 3500), [...parts, Buffer.alloc(500, 'f')], (tx) => {
      tx.l4 = 20;
      tx.csumOffset = 6;
      tx.flags = TxFlag.NEEDS_CSUM;
      tx.gsoType = 5;
      tx.gsoSize = 1000;
    });
    station.flush();
    await until('four datagrams', () => peer.lines().length === 5);
    expect(peer.lines().slice(1)).toEqual([
      '1000 c true',
      '1000 d true',
      '1000 e true',
      '500 f true',
    ]);
  });

  it('counts what must not be sent and sends the rest', () => {
    const before = station.link.stats();
    const outside = Buffer.alloc(10);
    station.send(udpHeader(9, 10), [outside], (tx) => {
      tx.pieceLen[0] = 11;
    });
    station.send(udpHeader(9, 0), [], (tx) => {
      tx.headerOff = 0x7fffff00;
    });
    station.send(udpHeader(9, 10), [outside], (tx) => {
      tx.l4 = 20;
      tx.csumOffset = 60_000;
      tx.flags = TxFlag.NEEDS_CSUM;
    });
    const moved = Buffer.from(new ArrayBuffer(100));
    station.send(udpHeader(9, 100), [moved], () => {});
    structuredClone(moved.buffer, { transfer: [moved.buffer] }); // detaches it before the flush
    station.send(udpHeader(9, 0), [], () => {});
    station.flush();
    const after = station.link.stats();
    expect(after.txInvalid - before.txInvalid).toBe(4);
    expect(after.txPackets - before.txPackets).toBe(1);
  });

  it('keeps the order of many packets, and counts those that the kernel took together', async () => {
    const peer = listener(9103, 70);
    await until('the listener', () => peer.lines().includes('bound'));
    const before = station.link.stats();
    for (let i = 0; i < 70; i++) {
      station.send(udpHeader(9103, i + 1), [Buffer.alloc(i + 1, 'o')], (tx) => {
        tx.l4 = 20;
        tx.csumOffset = 6;
        tx.flags = TxFlag.NEEDS_CSUM;
      });
    }
    station.flush();
    await until('70 datagrams', () => peer.lines().length === 71);
    const sizes = peer.lines().slice(1);
    expect(sizes).toEqual(Array.from({ length: 70 }, (_, i) => `${i + 1} o true`));
    const after = station.link.stats();
    expect(after.txPackets - before.txPackets).toBe(70);
    if (RINGS) expect(after.txRinged - before.txRinged).toBe(70);
  });

  it('flushes by itself when 256 packets wait', () => {
    const before = station.link.stats().txPackets;
    for (let i = 0; i < 257; i++) station.send(udpHeader(9, 0), [], () => {});
    expect(station.link.stats().txPackets - before).toBe(256);
    station.flush();
    expect(station.link.stats().txPackets - before).toBe(257);
  });

  it('counts a link that is down and works on when it is up again', async () => {
    station.link.configure({ up: false });
    const before = station.link.stats();
    station.send(udpHeader(9, 0), [], () => {});
    station.flush();
    const down = station.link.stats();
    expect([down.txFailed - before.txFailed, down.lastTxErrno]).toEqual([1, -5]); // EIO
    const cpu = process.cpuUsage();
    await sleep(200);
    const used = process.cpuUsage(cpu);
    expect(used.user + used.system).toBeLessThan(100_000); // µs: nothing spins meanwhile
    station.link.configure({ up: true });
    await lab.run(node(sendCode(1, 10, 9003)));
    await until('a datagram', () => station.udp(9003).length === 1);
    expect(station.failures).toEqual([]);
  });
});

describe('the native sum', () => {
  it('is the sum of big-endian words for every length and offset (RFC 1071)', async () => {
    const { loadAddon, slabSum } = await import('../../src/node/addon.ts');
    const { sum } = loadAddon();
    const octets = Uint8Array.from({ length: 700 }, (_, i) => (i * 197 + (i >> 3) * 31) & 0xff);
    const folded = (n: number): number => (n === 0 ? 0 : ((n - 1) % 0xffff) + 1);
    const bound = slabSum(station.slab);
    station.slab.u8.set(octets, 0);
    for (let len = 0; len <= 600; len++) {
      const off = len % 67;
      const expected = folded(words(octets.subarray(off, off + len)) + len * 1000);
      expect(folded(sum(octets, off, len, len * 1000))).toBe(expected);
      expect(folded(bound(off, len, len * 1000))).toBe(expected);
    }
    expect(sum(new Uint8Array(65_535).fill(0xff), 0, 65_535, 0)).toBeLessThan(1 << 17);
    expect(sum(new Uint8Array(64), 0, 64, 0)).toBe(0);
    expect(() => sum(octets, 690, 11, 0)).toThrow(RangeError);
    expect(() => sum(octets, -1, 1, 0)).toThrow(RangeError);
    expect(() => sum([] as unknown as Uint8Array, 0, 0, 0)).toThrow(TypeError);
  });
});

describe('the end', () => {
  it('tells a device that was deleted from outside (EBADFD)', async () => {
    const other = new Station({ name: 'pt3', netns: lab.name });
    other.link.configure({ up: true });
    lab.ip('link', 'del', 'pt3');
    await until('the loss', () => other.failures.length > 0);
    expect(other.failures).toEqual([-77]);
    expect(other.send(udpHeader(9, 0), [], () => {})).toBe(true);
    other.flush();
    expect(other.link.stats().txFailed).toBe(1);
    other.link.close();
  });

  it('closes twice, closes inside the callback, and refuses use afterwards', async () => {
    const code = `${started({ name: 'pt4', netns: lab.name })}
      link.configure({ addresses: [{ address: '10.78.0.1', prefix: 24 }], up: true });
      link.ref();
      onBatch = () => { link.close(); link.close(); setTimeout(() => {
        let code = '';
        try { link.configure({ up: true }); } catch (error) { code = error.code; }
        try { link.state(); } catch (error) { code += error.code; }
        link.ref(); link.unref(); link.flush();
        console.log('closed', code, link.transmit({}));
      }); };`;
    // The kernel's own multicast on a new device (IPv6) is packet enough.
    const outcome = await lab.runOutside(program(code));
    expect([outcome.code, outcome.out, outcome.err]).toEqual([0, 'closed EBADFEBADF false\n', '']);
    expect(lab.ip('-br', 'link')).not.toContain('pt4');
  });

  it('fails with EFAULT when the program detaches the slab, without a crash', async () => {
    const code = `${started({ name: 'pt5', netns: lab.name })}
      link.ref();
      structuredClone(slab.buffer, { transfer: [slab.buffer] });
      link.configure({ addresses: [{ address: '10.79.0.1', prefix: 24 }], up: true });
      // once it has failed; the kernel's own multicast on a new device (IPv6) makes it
      onFailed = () => link.close();`;
    const outcome = await lab.runOutside(program(code));
    expect([outcome.code, outcome.out]).toEqual([0, 'failed -14\n']);
  });

  it('keeps the event loop alive only while referenced', async () => {
    const open = started({ name: 'pt6', netns: lab.name });
    const quick = await lab.runOutside(program(`${open} console.log('out');`));
    expect([quick.code, quick.out]).toEqual([0, 'out\n']);
    const held = await lab.runOutside(
      program(`${open} link.ref();
        setTimeout(() => { console.log('later'); link.unref(); }, 300).unref();`),
    );
    expect([held.code, held.out]).toEqual([0, 'later\n']);
  });

  it('runs nextTick and promises behind the callback, and exceptions reach the process', async () => {
    const code = `${started({ name: 'pt7', netns: lab.name })}
      link.ref();
      const order = [];
      process.on('uncaughtException', (error) => {
        setImmediate(() => { console.log(order.join(' '), error.message); link.close(); });
      });
      onBatch = () => {
        onBatch = () => {};
        process.nextTick(() => order.push('tick'));
        Promise.resolve().then(() => order.push('promise'));
        order.push('batch');
        throw new Error('mine');
      };
      link.configure({ addresses: [{ address: '10.80.0.1', prefix: 24 }], up: true });`;
    const outcome = await lab.runOutside(program(code));
    expect(outcome.out).toBe('batch tick promise mine\n');
    expect(outcome.code).toBe(0);
  });
});
