// The same program on node:net and node:dgram and on a host's: the same transcript.

import * as dgram from 'node:dgram';
import dns from 'node:dns';
import * as net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHost, type Host } from '../../src/node/host.ts';
import { dgramGroupPrograms } from './dgram-group-programs.ts';
import { moreDgramPrograms } from './dgram-more-programs.ts';
import { dgramPrograms } from './dgram-programs.ts';
import { dgramSendPrograms } from './dgram-send-programs.ts';
import { dgramSharePrograms } from './dgram-share-programs.ts';
import { dnsArgumentPrograms } from './dns-argument-programs.ts';
import { dnsPrograms } from './dns-programs.ts';
import { httpPrograms } from './http-programs.ts';
import { contextPrograms } from './net-context-programs.ts';
import { endPrograms } from './net-end-programs.ts';
import { flowPrograms } from './net-flow-programs.ts';
import { lifePrograms } from './net-life-programs.ts';
import { moreNetPrograms } from './net-more-programs.ts';
import { onreadPrograms } from './net-onread-programs.ts';
import { optionPrograms } from './net-option-programs.ts';
import { netPrograms } from './net-programs.ts';
import { serverPrograms } from './net-server-programs.ts';
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
        const expected = await transcript(program, { net, dgram, dns });
        expect(expected.lines.length).toBeGreaterThan(0);
        expect(expected.lines).not.toContain('NOT DONE IN TIME');
        const ours = { net: host.net, dgram: host.dgram, dns: host.dns } as unknown as Ground;
        expect((await transcript(program, ours)).parties()).toEqual(expected.parties());
      });
    }
  });
}

compare('net', netPrograms);
compare('net, arguments and data', moreNetPrograms);
compare('net, from connect to close', lifePrograms);
compare('net, servers and addresses', serverPrograms);
compare('net, reading and writing', flowPrograms);
compare('net, ends and corners', endPrograms);
compare('net, onread', onreadPrograms);
compare('net, options', optionPrograms);
compare('net, contexts and exceptions', contextPrograms);
compare('dgram', dgramPrograms);
compare('dns', dnsPrograms);
compare('dns, arguments and lookup', dnsArgumentPrograms);
compare('dgram, from bind to connect', moreDgramPrograms);
compare('dgram, sending', dgramSendPrograms);
compare('dgram, sharing', dgramSharePrograms);
compare('dgram, groups and broadcasts', dgramGroupPrograms);
compare('http', httpPrograms);
