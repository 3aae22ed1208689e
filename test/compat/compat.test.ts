// The same program on node:net and node:dgram and on a host's: the same transcript.

import * as dgram from 'node:dgram';
import * as net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { dgramPrograms } from './dgram-programs.ts';
import { httpPrograms } from './http-programs.ts';
import { moreNetPrograms } from './net-more-programs.ts';
import { netPrograms } from './net-programs.ts';
import { type Ground, type Program, settled, Transcript } from './transcript.ts';

/** Ends what hangs; a program takes some milliseconds. */
const LONGEST_MS = 60_000;

let host: Host;

beforeAll(async () => {
  host = await createHost();
});

afterAll(async () => {
  await host.close({ deadlineMs: 100 });
});

async function transcript(program: Program, ground: Ground): Promise<Transcript> {
  const t = new Transcript();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      t.log('NOT DONE IN TIME');
      resolve();
    }, LONGEST_MS);
  });
  await Promise.race([program(ground, t), late]);
  await settled(); // 'close' of the last socket comes after 'close' of its server
  clearTimeout(timer);
  return t;
}

function compare(name: string, programs: Record<string, Program>): void {
  describe(name, () => {
    for (const [what, program] of Object.entries(programs)) {
      it(`${what}: as Node does it`, { timeout: 3 * LONGEST_MS }, async () => {
        const expected = await transcript(program, { net, dgram });
        expect(expected.lines.length).toBeGreaterThan(0);
        expect(expected.lines).not.toContain('NOT DONE IN TIME');
        const ours = { net: host.net, dgram: host.dgram } as unknown as Ground;
        expect((await transcript(program, ours)).parties()).toEqual(expected.parties());
      });
    }
  });
}

compare('net', netPrograms);
compare('net, arguments and data', moreNetPrograms);
compare('dgram', dgramPrograms);
compare('http', httpPrograms);
