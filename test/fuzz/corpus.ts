// The corpus of the sequence fuzzer: one program a line, base64. Programs that each reach something
// that those before them do not; `npm test` runs them all and changes of them.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('corpus.txt', import.meta.url));

export function readCorpus(): Uint8Array[] {
  if (!existsSync(FILE)) return [];
  const lines = readFileSync(FILE, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => decodeProgram(line));
}

export function writeCorpus(programs: readonly Uint8Array[]): void {
  writeFileSync(FILE, programs.map((p) => `${encodeProgram(p)}\n`).join(''));
}

export function encodeProgram(p: Uint8Array): string {
  return Buffer.from(p).toString('base64').replace(/=+$/, '');
}

export function decodeProgram(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
