// tshark and capinfos as judges of the files that link/capture.ts writes: times, names, directions,
// comments, checksums. No device and no namespace is needed.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Capture, PcapngWriter } from '../../src/link/capture.ts';
import { sum } from '../../src/wire/checksum.ts';
import { Sink, txOf } from '../link/tx-kit.ts';

let folder = '';
let file = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portside-pcapng-'));
  file = join(folder, 'x.pcapng');
  const chunks: Uint8Array[] = [];
  const writer = new PcapngWriter((c) => chunks.push(c), 1_764_000_000_000_000);
  const { slab, tx } = txOf({ copied: 10, pieces: [1000, 7] });
  const link = new Capture(new Sink(slab, 15), writer, {
    slab,
    sum,
    now: () => 250_000.5,
    description: 'the test',
  });
  link.transmit(tx);
  link.received(tx.headerOff, tx.headerLen, 0, 0, 'DROP TCP_CSUM');
  const big = txOf({ pieces: [40_000], gsoSize: 1448 });
  const other = new Capture(new Sink(big.slab, 15), writer, {
    slab: big.slab,
    sum,
    now: () => 3e5,
  });
  other.transmit(big.tx);
  writeFileSync(file, Buffer.concat(chunks));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(program: string, args: string[]): string {
  const stdio: ('ignore' | 'pipe')[] = ['ignore', 'pipe', 'ignore'];
  return execFileSync(program, args, { encoding: 'utf8', timeout: 300_000, stdio });
}

function tshark(...args: string[]): string[] {
  const options = ['-r', file, '-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
  return run('tshark', [...options, ...args])
    .trimEnd()
    .split('\n');
}

test('tshark reads names, nanoseconds, directions, comments and lengths', () => {
  const fields = ['frame.interface_name', 'frame.time_epoch', 'frame.packet_flags_direction'];
  fields.push('frame.comment', 'frame.len');
  const rows = tshark('-T', 'fields', ...fields.flatMap((f) => ['-e', f]));
  expect(rows).toEqual([
    'sink\t1764000000.250000500\t0x00000002\t\t1057',
    'sink\t1764000000.250000500\t0x00000001\tDROP TCP_CSUM\t50',
    'sink\t1764000000.300000000\t0x00000002\tGSO 1448\t40040',
  ]);
});

test('tshark finds the checksums of what was sent right', () => {
  const rows = tshark('-T', 'fields', '-e', 'tcp.checksum.status', '-e', 'ip.checksum.status');
  expect(rows[0]).toBe('1\t1');
  expect(rows[2]).toBe('1\t1');
});

test('capinfos sees a sound file with three packets', () => {
  const out = run('capinfos', ['-M', '-c', '-t', '-E', file]);
  expect(out).toMatch(/File type:\s+pcapng/);
  expect(out).toMatch(/Number of packets:\s+3/);
  expect(out).toMatch(/rawip/i);
});
