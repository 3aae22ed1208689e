// Datagrams and what is known of them on an octet stream: u32 length of what follows, u16 length of
// a JSON object, the object, the payload. Both numbers are big-endian.

import type { Duplex } from 'node:stream';

const HEAD = 6;
/** More than any datagram with its object. */
const LONGEST = 1 << 18;

export interface Frame {
  readonly meta: Readonly<Record<string, unknown>>;
  readonly data: Buffer;
}

export function frameOf(meta: object, data: Uint8Array = NOTHING): Buffer {
  const text = Buffer.from(JSON.stringify(meta));
  const frame = Buffer.allocUnsafe(HEAD + text.length + data.length);
  frame.writeUInt32BE(2 + text.length + data.length, 0);
  frame.writeUInt16BE(text.length, 4);
  text.copy(frame, HEAD);
  frame.set(data, HEAD + text.length);
  return frame;
}

const NOTHING = new Uint8Array(0);

/** Takes a stream's octets apart; a frame that makes no sense destroys the stream. */
export function readFrames(stream: Duplex, take: (frame: Frame) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEAD) {
      const length = rest.readUInt32BE(0);
      const metaLength = rest.readUInt16BE(4);
      if (length > LONGEST || metaLength + 2 > length) {
        stream.destroy();
        return;
      }
      if (rest.length < 4 + length) return;
      const frame = rest.subarray(HEAD, 4 + length);
      rest = rest.subarray(4 + length);
      const meta = objectOf(frame.subarray(0, metaLength));
      if (meta === null) {
        stream.destroy();
        return;
      }
      take({ meta, data: frame.subarray(metaLength) });
    }
  });
  stream.resume();
}

function objectOf(text: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text.toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
