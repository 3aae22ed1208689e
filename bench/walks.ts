// Ways of a packet through the whole stack, as functions that run one turn of the driver each:
// bench/suites/walk.ts times them, test/alloc counts what they allocate.

import type { UdpHandler, UdpSocket } from '../src/socket/udp-socket.ts';
import { Address } from '../src/wire/address.ts';
import { Bed, MSS, PORT, SUPER } from './bed.ts';
import { FORWARD_WALKS } from './forward-walks.ts';

export interface Walk {
  readonly name: string;
  /** Packets of one call of the function that `start` answers, and turns of the driver. */
  readonly packets: number;
  readonly turns: number;
  /** Octets of payload of one packet. */
  readonly octets: number;
  /** Makes a stack and its connection. The function throws when it finds that nothing arrives. */
  start(): () => void;
}

/** Calls between two looks at whether the packets really do what the name says. */
const LOOK_EVERY = 1024;

/** Runs `turn`, and now and then `passed`, which answers how far the work has come. */
function watched(turn: () => void, passed: () => number): () => void {
  let calls = 0;
  let before = passed();
  return () => {
    turn();
    calls = (calls + 1) & (LOOK_EVERY - 1);
    if (calls !== 0) return;
    const now = passed();
    if (now === before) throw new Error('the packets of this walk do not arrive');
    before = now;
  };
}

/** In-order data to a program that takes everything. */
function dataIn(payload: number, packets: number): Walk {
  return {
    name: `in: data of ${payload} octets, ${packets} a turn`,
    packets,
    turns: 1,
    octets: payload,
    start() {
      const bed = new Bed({ tcp: { rcvBufInitial: 6 << 20 } });
      bed.connect();
      bed.lay(packets, payload);
      // The announced window begins at 64 KB and opens with what arrives.
      for (let i = 0; i < 200; i++) bed.data(1);
      return watched(
        () => bed.data(packets),
        () => bed.received,
      );
    },
  };
}

/** Pure ACKs for two segments each, to a program that sends without end. */
function acksIn(packets: number): Walk {
  return {
    name: `in: pure ACK for two segments, ${packets} a turn`,
    packets,
    turns: 1,
    octets: 0,
    start() {
      const bed = new Bed({ tcp: { initialCwnd: 400 } });
      const s = bed.connect();
      bed.sink.block = new Uint8Array(65_536);
      for (let i = 0; i < 32; i++) s.write(bed.sink.block, 0, 65_536);
      bed.turn();
      bed.lay(packets, 0);
      return watched(
        () => bed.acks(packets, 2 * MSS),
        () => bed.sink.totals[1] as number,
      );
    },
  };
}

/** Small messages as of a chat or a remote shell, each in a turn of its own. */
function smallOut(): Walk {
  const packets = 8;
  const message = new Uint8Array(64).fill(0x61);
  return {
    name: 'out: send() of 64 octets, a turn each, an ACK for eight',
    packets,
    turns: packets + 1,
    octets: 64,
    start() {
      const bed = new Bed();
      const s = bed.connect(true);
      bed.lay(1, 0);
      return watched(
        () => {
          for (let i = 0; i < packets; i++) {
            s.send(message, 0, 64);
            bed.turn();
          }
          bed.acks(1, packets * 64);
        },
        () => bed.link.sndNxt,
      );
    },
  };
}

/** The same to a peer with so small an MSS, and no offload, that each message is a segment. */
function segmentsOut(): Walk {
  const packets = 32;
  const message = new Uint8Array(64).fill(0x61);
  return {
    name: 'out: send() of 64 octets, 32 segments a turn, an ACK for all',
    packets,
    turns: 2,
    octets: 64,
    start() {
      const bed = new Bed({ tcp: { initialCwnd: 2 * packets, gsoMaxOctets: 116 } });
      const s = bed.connect(true, 76);
      bed.lay(1, 0);
      const before = bed.link.packets;
      const turn = (): void => {
        for (let i = 0; i < packets; i++) s.send(message, 0, 64);
        bed.turn();
        bed.acks(1, packets * 64);
      };
      turn();
      if (bed.link.packets - before !== packets) throw new Error('not a segment for each message');
      return watched(turn, () => bed.link.sndNxt);
    },
  };
}

/** Super-segments out of the program's own memory, all acknowledged at once. */
function largeOut(): Walk {
  const packets = 8;
  return {
    name: 'out: write() of 64 KB, eight a turn, an ACK for all',
    packets,
    turns: 2,
    octets: SUPER,
    start() {
      const bed = new Bed({ tcp: { initialCwnd: 44 * packets } });
      const s = bed.connect();
      const block = new Uint8Array(SUPER);
      bed.lay(1, 0);
      return watched(
        () => {
          for (let i = 0; i < packets; i++) s.write(block, 0, SUPER);
          bed.turn();
          bed.acks(1, packets * SUPER);
        },
        () => bed.sink.totals[1] as number,
      );
    },
  };
}

class Datagrams implements UdpHandler {
  readonly totals = new Float64Array(1);
  datagram(_s: UdpSocket, _u8: Uint8Array, _off: number, len: number): void {
    this.totals[0] = (this.totals[0] as number) + len;
  }
  error(_s: UdpSocket, code: number): void {
    throw new Error(`the socket has met ${code}`);
  }
  writable(_s: UdpSocket): void {}
}

function datagramsIn(payload: number): Walk {
  const packets = 32;
  return {
    name: `in: datagrams of ${payload} octets, ${packets} a turn`,
    packets,
    turns: 1,
    octets: payload,
    start() {
      const bed = new Bed();
      const handler = new Datagrams();
      bed.stack.udp({ port: PORT, handler });
      bed.layUdp(packets, payload);
      return watched(
        () => bed.datagrams(packets),
        () => handler.totals[0] as number,
      );
    },
  };
}

function datagramsOut(payload: number): Walk {
  const packets = 32;
  const message = new Uint8Array(payload).fill(0x61);
  return {
    name: `out: datagrams of ${payload} octets, ${packets} a turn`,
    packets,
    turns: 1,
    octets: payload,
    start() {
      const bed = new Bed();
      const s = bed.stack.udp({ port: PORT, handler: new Datagrams() });
      const to = new Address(0, 0, 0xffff, 0xc6120001 | 0);
      return watched(
        () => {
          for (let i = 0; i < packets; i++) {
            if (s.send(message, 0, payload, to, 40_000) !== 0) throw new Error('send has failed');
          }
          bed.turn();
        },
        () => bed.link.packets,
      );
    },
  };
}

/** What a turn costs by itself, with a timer armed as a connection at work has one. */
export const EMPTY_TURN: Walk = {
  name: 'a turn without packets',
  packets: 1,
  turns: 1,
  octets: 0,
  start() {
    const bed = new Bed();
    bed.connect().setKeepAlive(true);
    return () => bed.turn();
  },
};

export const WALKS: readonly Walk[] = [
  dataIn(MSS, 32),
  dataIn(MSS, 1),
  dataIn(SUPER, 8),
  acksIn(32),
  smallOut(),
  segmentsOut(),
  largeOut(),
  datagramsIn(64),
  datagramsIn(1472),
  datagramsOut(64),
  datagramsOut(1472),
  ...FORWARD_WALKS,
];
