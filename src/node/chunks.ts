// What a Writable hands down, as octets: single chunks and the list of a _writev.

import { Buffer } from 'node:buffer';
import type { Edge } from './edge.ts';

export type Chunks = { chunk: string | Uint8Array; encoding: BufferEncoding }[] & {
  allBuffers?: boolean;
};

export function putAll(edge: Edge, chunks: Chunks): void {
  for (let i = 0; i < chunks.length; i++) {
    const entry = chunks[i] as Chunks[number] | Uint8Array;
    if (entry instanceof Uint8Array) edge.put(entry);
    else edge.put(octets(entry.chunk, entry.encoding));
  }
}

export function octets(chunk: string | Uint8Array, encoding: BufferEncoding): Uint8Array {
  if (typeof chunk !== 'string') return chunk;
  return Buffer.from(chunk, (encoding as string) === 'buffer' ? 'utf8' : encoding);
}
