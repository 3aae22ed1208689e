// OPEN, SEND, CLOSE, ABORT, STATUS as the program calls them (RFC 9293 §3.9.1).

import { describe, expect, test } from 'vitest';
import { tcp4 } from '../kit/packet.ts';
import { continueScript, runScript } from '../kit/script.ts';
import { LOCAL, REMOTE } from '../kit/script-bench.ts';
import { PLAIN, packet } from './openings.ts';

const nobody = {
  opened() {},
  data() {},
  ended() {},
  writable() {},
  written() {},
  closed() {},
};

describe('OPEN', () => {
  test('takes a local address (RFC 9293 MUST-43)', () => {
    const bench = runScript('0 listen 81');
    bench.stack.addAddress(bench.linkId, '192.0.2.2', 24);
    const s = bench.stack.connect({
      address: '198.51.100.9',
      port: 80,
      localAddress: '192.0.2.2',
      localPort: 5555,
      handler: nobody,
    });
    bench.runTo(bench.elapsedUs);
    expect([s.localAddress, s.localPort]).toEqual(['192.0.2.2', 5555]);
    expect([...packet(bench, 0).subarray(12, 16)]).toEqual([192, 0, 2, 2]);
  });

  test('asks IP for the address when none is given, and keeps it (RFC 9293 MUST-44, MUST-45)', () => {
    const bench = runScript('0 listen 81');
    const s = bench.stack.connect({ address: '198.51.100.9', port: 80, handler: nobody });
    bench.runTo(bench.elapsedUs);
    expect(s.localAddress).toBe('192.0.2.1');
    bench.stack.addAddress(bench.linkId, '192.0.2.200', 24);
    bench.runTo(bench.elapsedUs + 1_000_000);
    expect([...packet(bench, -1).subarray(12, 16)]).toEqual([192, 0, 2, 1]);
    expect(bench.outbox.length).toBe(2);
  });

  test('of a local address that is not ours is EADDRNOTAVAIL', () => {
    const bench = runScript('0 listen 81');
    const open = (): void => {
      bench.stack.connect({
        address: '198.51.100.9',
        port: 80,
        localAddress: '10.9.9.9',
        handler: nobody,
      });
    };
    expect(open).toThrow(
      expect.objectContaining({ code: 'EADDRNOTAVAIL', syscall: 'bind', address: '10.9.9.9' }),
    );
  });

  test.each(['255.255.255.255', '192.0.2.255', '224.0.0.1', '239.1.2.3'])(
    'to %s is refused (RFC 9293 MUST-46)',
    (address) => {
      const bench = runScript('0 listen 81');
      expect(() => bench.stack.connect({ address, port: 80, handler: nobody })).toThrow(
        /^connect E/,
      );
      bench.runTo(bench.elapsedUs + 5_000_000);
      expect(bench.outbox).toEqual([]);
    },
  );

  test('twice for one 4-tuple is refused (RFC 9293 §3.10.1)', () => {
    const bench = runScript('0 listen 81');
    const open = () =>
      bench.stack.connect({ address: '198.51.100.9', port: 80, localPort: 5555, handler: nobody });
    open();
    expect(open).toThrow(/EADDR/);
  });

  test('with one local port to two peers is legal (RFC 9293 §3.4)', () => {
    const bench = runScript('0 listen 81');
    const open = (port: number) =>
      bench.stack.connect({ address: '198.51.100.9', port, localPort: 5555, handler: nobody });
    open(80);
    expect(open(81).localPort).toBe(5555);
  });
});

describe('SEND and CLOSE', () => {
  test('after shutdown are EPIPE (RFC 9293 §3.10.2)', () => {
    const bench = runScript(`${PLAIN}\n +0 shutdown`, { allowLeftover: true });
    expect(() => bench.socket.write(new Uint8Array(1))).toThrow(
      expect.objectContaining({ code: 'EPIPE' }),
    );
    expect(() => bench.socket.send(new Uint8Array(1))).toThrow(
      expect.objectContaining({ code: 'EPIPE' }),
    );
  });

  test('between a reset and the word of it are dropped, afterwards EPIPE (Node: ECONNRESET once)', () => {
    const bench = runScript(`${PLAIN}`, { config: { tcp: { testIss: 0 } } });
    const s = bench.socket;
    // the reset arrives; the program's turn, in which it would be told, has not come yet
    const fields = { srcPort: 54_321, dstPort: 80, flags: 4, seq: 1, ack: 0, window: 0 };
    const octets = tcp4({ src: REMOTE, dst: LOCAL }, fields);
    const at = bench.slab.reserve(octets.length);
    bench.slab.u8.set(octets, at);
    bench.stack.receive(bench.linkId, at, octets.length, 0, 0);
    expect(s.write(new Uint8Array(9))).toBe(true);
    expect(s.send(new Uint8Array(7))).toBe(7);
    expect(s.sendUrgent(new Uint8Array(1))).toBe(1);
    expect(s.queued).toBe(0);
    bench.stack.drain();
    continueScript(bench, '+0 expect closed ECONNRESET\n +1 > nothing');
    expect(() => s.write(new Uint8Array(1))).toThrow(/EPIPE/);
    expect(() => s.send(new Uint8Array(1))).toThrow(/EPIPE/);
  });

  test('after abort() are EPIPE at once', () => {
    const bench = runScript(`${PLAIN}\n +0 abort`, { allowLeftover: true });
    expect(() => bench.socket.write(new Uint8Array(1))).toThrow(/EPIPE/);
  });

  test('on a connection that is gone do no harm', () => {
    const bench = runScript(`${PLAIN}\n +0 < R. 1:1(0) ack 1 win 0\n +0 expect closed ECONNRESET`);
    const s = bench.socket;
    expect(() => s.write(new Uint8Array(1))).toThrow(/EPIPE/);
    s.shutdown();
    s.close();
    s.abort();
    s.resume();
    s.setNoDelay();
    s.setKeepAlive(true);
    s.uncork();
    bench.runTo(bench.elapsedUs + 10_000_000);
    expect(bench.outbox).toEqual([]);
    expect([s.queued, s.unsent]).toEqual([0, 0]);
  });

  test('called twice do the same as once', () => {
    runScript(`${PLAIN}
      +0 shutdown
      +0 > F. 1:1(0) ack 1
      +0 shutdown
      +0 close
      +0 close
      +.05 > nothing
    `);
  });

  test('a connection that is gone leaves nothing behind', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(5000)
      +0 pause
      +0 < . 2001:3001(1000) ack 1 win 65535
      +0 < R. 1:1(0) ack 1 win 0
      +0 expect closed ECONNRESET
      +0 close_server
    `,
      { allowLeftover: true },
    );
    bench.runTo(bench.elapsedUs + 200_000_000);
    const { tcp } = bench.stack;
    expect([tcp.live, tcp.flows.size, tcp.deadlines.armed, tcp.rcvMemory, tcp.ports.size]).toEqual([
      0, 0, 0, 0, 0,
    ]);
  });
});

describe('STATUS', () => {
  test('tells the fields of struct tcp_info (RFC 9293 §3.10.6)', () => {
    const bench = runScript(
      `${PLAIN}
      +0 write(3000)
      +.1 < . 1:1(0) ack 1001 win 30000
    `,
      { allowLeftover: true },
    );
    const info = bench.socket.info();
    expect(info).toMatchObject({
      state: 'ESTAB',
      ca_state: 'open',
      snd_mss: 1000,
      advmss: 1460,
      pmtu: 1500,
      unacked: 2,
      lost: 0,
      sacked: 0,
      rtt: 100_000,
      snd_wnd: 30_000,
      notsent_bytes: 0,
      send_q: 2000,
      recv_q: 0,
      data_segs_out: 3,
      bytes_retrans: 0,
    });
    expect(info.options).toMatchObject({ timestamps: false, sack: false, wscale: false });
  });
});

// The end waits for a program that has paused; when it lets go instead, it is told at once.
test.each(['close', 'abort'])(
  '%s of a paused connection that is over already tells of the end and frees it (RFC 9293 §3.9.1)',
  (call) => {
    const bench = runScript(`${PLAIN}
      +0 pause
      +0 < F. 1:1(0) ack 1 win 65535
      +0~+.3 > . 1:1(0) ack 2
      +0 shutdown
      +0 > F. 1:1(0) ack 2
      +.1 < . 2:2(0) ack 2 win 65535
      +1 expect state UNCONN
      +0 ${call}
      +0 expect closed ${call === 'close' ? 'OK' : 'ECONNABORTED'}
    `);
    expect(bench.stack.tcp.live).toBe(0);
  },
);
