// The list of packets of a running host, from what its capture carries.

import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Direction, PcapngWriter } from '../../src/link/capture.ts';
import type { ControlClient } from '../../src/node/control-client.ts';
import { LivePackets } from '../../src/web/live-packets.ts';

const EPOCH_US = 1_700_000_000_000_000;
/** IPv4 and TCP without options: 10.0.0.1:4000 → 10.0.0.2:80, its numbers still to be set. */
const SEGMENT =
  '45000028000040004006000 00a0000010a000002 0fa00050 00000000 00000000 5000ffff00000000';

function segment(
  out: boolean,
  { seq, ack, flags }: { seq: number; ack: number; flags: number },
): Uint8Array {
  const b = Buffer.from(SEGMENT.replaceAll(' ', ''), 'hex');
  if (out) {
    Buffer.from('0a0000020a000001', 'hex').copy(b, 12);
    Buffer.from('00500fa0', 'hex').copy(b, 20);
  }
  b.writeUInt32BE(seq, 24);
  b.writeUInt32BE(ack, 28);
  b[33] = flags;
  return b;
}

/** A host whose capture is `socket`, or who answers with `error`. */
function client(socket: PassThrough, error?: Error): { open(): Promise<ControlClient>; n: number } {
  const host = {
    n: 0,
    async open() {
      host.n++;
      return {
        async switchTo() {
          if (error !== undefined) throw error;
          return { done: {}, socket: socket as unknown as Socket };
        },
        close() {},
      } as unknown as ControlClient;
    },
  };
  return host;
}

describe('packets of a running host', () => {
  test('numbers begin at zero for each connection, in both directions; drops bear their reason', async () => {
    const stream = new PassThrough();
    const packets = new LivePackets('h', () => client(stream).open());
    await packets.start(EPOCH_US);
    // in small pieces, as a socket may bring them
    const feed = (chunk: Uint8Array): void => {
      for (let i = 0; i < chunk.length; i += 7) stream.write(chunk.subarray(i, i + 7));
    };
    const pcap = new PcapngWriter(feed, EPOCH_US, 200);
    pcap.addInterface('lo', '');
    pcap.addInterface('tun0', '');
    const [SYN, ACK] = [2, 16];
    const [mine, theirs] = [5_000_000, 3_000_000_000];
    pcap.packet(
      1,
      1000,
      segment(false, { seq: theirs, ack: 0, flags: SYN }),
      Direction.INBOUND,
      '',
    );
    const answer = segment(true, { seq: mine, ack: theirs + 1, flags: SYN | ACK });
    pcap.packet(1, 1250, answer, Direction.OUTBOUND, 'GSO 1448; ESTAB cwnd=10');
    const third = segment(false, { seq: theirs + 1, ack: mine + 1, flags: ACK });
    pcap.packet(1, 1500, third, Direction.INBOUND, 'DROP TCP_OLD_ACK; GRO 1448');
    await turn();
    const seen = packets.rows.since(0).map(({ n, us, dir, verdict, info }) => ({
      ...{ n, us, dir, verdict },
      numbers: info.replace(/ Win=.*/, ''),
    }));
    expect(seen).toEqual([
      { n: 1, us: 1000, dir: 'in', verdict: '', numbers: '4000 → 80 [SYN] Seq=0' },
      { n: 2, us: 1250, dir: 'out', verdict: '', numbers: '80 → 4000 [SYN, ACK] Seq=0 Ack=1' },
      {
        ...{ n: 3, us: 1500, dir: 'in', verdict: 'TCP_OLD_ACK' },
        numbers: '4000 → 80 [ACK] Seq=1 Ack=1',
      },
    ]);
    expect(packets.find(2)?.octets.length).toBe(40);
    expect(packets.find(4)).toBeNull();
  });

  test('what loops back is seen twice and is not taken for sent again', async () => {
    const stream = new PassThrough();
    const packets = new LivePackets('h', () => client(stream).open());
    await packets.start(EPOCH_US);
    const pcap = new PcapngWriter((chunk) => void stream.write(chunk), EPOCH_US, 200);
    pcap.addInterface('lo', '');
    const syn = segment(true, { seq: 77, ack: 0, flags: 2 });
    pcap.packet(0, 1000, syn, Direction.OUTBOUND, '');
    pcap.packet(0, 1001, syn, Direction.INBOUND, '');
    pcap.packet(0, 2000, syn, Direction.OUTBOUND, '');
    await turn();
    expect(packets.rows.since(0).map((row) => row.again)).toEqual([false, false, true]);
  });

  test('a host that cannot capture is asked once, and again after a stop', async () => {
    const error = Object.assign(new Error("'capture' is not one of …"), { code: 'ENOSYS' });
    const host = client(new PassThrough(), error);
    const packets = new LivePackets('h', host.open);
    await packets.start(EPOCH_US);
    await packets.start(EPOCH_US);
    expect(packets.trouble).toBe('this host cannot capture');
    expect(host.n).toBe(1);
    packets.stop();
    expect(packets.trouble).toBe('');
    await packets.start(EPOCH_US);
    expect(host.n).toBe(2);
  });

  test('a capture that ends says so', async () => {
    const stream = new PassThrough();
    const packets = new LivePackets('h', () => client(stream).open());
    await packets.start(EPOCH_US);
    stream.destroy();
    await turn();
    expect(packets.trouble).toBe('the capture has ended');
  });
});
