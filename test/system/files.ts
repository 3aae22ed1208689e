// Files for tests of transfers: contents that differ everywhere, and digests.

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { streamBytes } from '../../src/cli/bytes.ts';

/** Writes the octets of `/bytes/size` of the HTTP service; answers their digest. */
export async function makeFile(file: string, size: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    const out = createWriteStream(file).on('finish', resolve).on('error', reject);
    streamBytes(out, 0, size);
  });
  return sha256(file);
}

export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
