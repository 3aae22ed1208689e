// What a received chunk costs on its way into a program's stream: memory that the program may keep,
// the copy, and `push`. Chunks are dropped at once, as by a program that counts or hashes them, so
// that what memory costs in the long run is in the figures. What src/node/delivery.ts does with
// large chunks is not here: its blocks come back in turns of the event loop, which a body has none
// of; `portside bench in --via net` measures it.

import { Duplex } from 'node:stream';
import { Delivery } from '../../src/node/delivery.ts';
import { type Case, kept, type Suite } from '../suite.ts';

const CHUNKS = 64;
const SLAB = 8 << 20;

type Memory = (from: Uint8Array, off: number, len: number) => Uint8Array;

function fresh(): Memory {
  return (from, off, len) => {
    const own = Buffer.allocUnsafeSlow(len);
    own.set(from.subarray(off, off + len));
    return own;
  };
}

/** Larger memory that chunks are cut from. */
function arenas(size: number): () => Memory {
  return () => {
    let arena = Buffer.allocUnsafeSlow(size);
    let used = 0;
    return (from, off, len) => {
      if (used + len > size) {
        arena = Buffer.allocUnsafeSlow(size);
        used = 0;
      }
      const chunk = arena.subarray(used, used + len);
      used += len;
      chunk.set(from.subarray(off, off + len));
      return chunk;
    };
  };
}

/** Up to 1 KiB: Node's own pool. */
function small(): Memory {
  const own = new Delivery();
  return (from, off, len) => own.copy(from, off, len);
}

/** The program's own buffer, used again for each chunk (`onread`). */
function onRead(): Memory {
  const buffer = new Uint8Array(65_536);
  return (from, off, len) => {
    buffer.set(from.subarray(off, off + len));
    return buffer;
  };
}

class Counting extends Duplex {
  octets = 0;
  constructor() {
    super({ readableHighWaterMark: 1 << 20 });
    this.on('data', (chunk: Uint8Array) => {
      this.octets += chunk.length;
    });
    // After a read has returned, chunks that are pushed go to the listener at once.
    this.read(0);
  }
  override _read(): void {}
}

function caseOf(name: string, make: () => Memory, octets: number, rejected = false): Case {
  return {
    name: `${name}, ${octets} octets`,
    ops: CHUNKS,
    octets,
    rejected,
    prepare() {
      const from = new Uint8Array(SLAB).fill(0x61);
      const memory = make();
      const stream = name.startsWith('onread') ? null : new Counting();
      let at = 0;
      return () => {
        for (let i = 0; i < CHUNKS; i++) {
          const chunk = memory(from, at, octets);
          if (stream !== null) stream.push(chunk);
          at = at + 2 * octets > SLAB ? 0 : at + octets;
        }
        if (stream !== null && stream.readableLength > 0) throw new Error('chunks wait');
        kept[0] = at;
      };
    },
  };
}

export const delivery: Suite = {
  name: 'delivery',
  question: 'what does a chunk cost on its way into a program’s Duplex?',
  cases: [
    caseOf('as net.Socket delivers it', small, 64),
    ...[64, 1448, 65_160].flatMap((octets) => [
      caseOf('fresh memory each', fresh, octets, true),
      caseOf('arenas of 64 KiB', arenas(65_536), octets, true),
      caseOf('arenas of 1 MiB', arenas(1 << 20), octets, true),
      caseOf('onread: the program’s own buffer, no stream', onRead, octets),
    ]),
  ],
};
