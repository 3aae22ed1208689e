// Programs on http, https, tls and http2, unchanged: first on the kernel, then in a registered process.
// Both must write the same transcript.

import { describe, expect, it } from 'vitest';
import { register, unregister } from '../../src/node/register.ts';
import { httpUpperPrograms } from './http-upper-programs.ts';
import { http2Programs } from './http2-programs.ts';
import { tlsPrograms } from './tls-programs.ts';
import { settled, Transcript } from './transcript.ts';
import type { WebProgram } from './web.ts';

const LONGEST_MS = 10_000;

async function transcript(program: WebProgram): Promise<Transcript> {
  const t = new Transcript();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      t.log('NOT DONE IN TIME');
      resolve();
    }, LONGEST_MS);
  });
  await Promise.race([program(t), late]);
  await settled();
  clearTimeout(timer);
  return t;
}

function compare(name: string, programs: Record<string, WebProgram>): void {
  describe(name, () => {
    for (const [what, program] of Object.entries(programs)) {
      it(`${what}: as on the kernel`, { timeout: 3 * LONGEST_MS }, async () => {
        const expected = await transcript(program);
        expect(expected.lines.length).toBeGreaterThan(0);
        expect(expected.lines).not.toContain('NOT DONE IN TIME');
        const host = await register();
        try {
          expect((await transcript(program)).parties()).toEqual(expected.parties());
          // What is over is gone, but for TIME-WAIT.
          const left = host.stack.sockets().filter((s) => s.state !== 'TIME-WAIT');
          expect(left.map((s) => `${s.state} ${s.localPort}`)).toEqual([]);
          expect(host.stack.counters.get('TcpInSegs')).toBeGreaterThan(1);
        } finally {
          await unregister();
        }
      });
    }
  });
}

compare('http', httpUpperPrograms);
compare('tls and https', tlsPrograms);
compare('http2', http2Programs);
