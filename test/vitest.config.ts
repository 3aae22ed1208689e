// The test projects. `unit` needs neither root nor the addon and takes less than a minute;
// `sim` is the seeded simulator and whatever else takes long without root; `system` needs root, runs
// file after file, each file in a network namespace of its own; `interop` is the same for programs that
// are heavy or slow, and belongs to `npm run test:interop` alone.

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Processes of their own, sieges, grids: seconds for a file. */
const LONG = [
  'test/attacks/{memory,unpredictable}.test.ts',
  'test/compat/{compat,exit,upper}.test.ts',
  'test/node/{context,stream-handle}.test.ts',
  'test/tcp/{attacks,grid}.test.ts',
  'test/tcp/congestion/bbr.test.ts',
  'test/upper/**/*.test.ts',
  'test/web/lab.test.ts',
];
const SIM = ['test/sim/**/*.test.ts', ...LONG];
const SYSTEM = ['test/system/**/*.test.ts', '**/*.system.test.ts'];
const INTEROP = ['test/interop/**/*.test.ts'];
// A limit ends what hangs; it is no judgement of speed. Each is many times what a quiet machine needs,
// because continuous integration shares its cores.
const UNIT_MS = 120_000;
const SYSTEM_MS = 600_000;
/** A test of allocation needs a collector that it can call. */
const execArgv = ['--expose-gc'];

/** What the projects in network namespaces have in common. */
const NAMESPACES = {
  exclude: ['node_modules/**', 'dist/**', 'build/**'],
  pool: 'forks' as const,
  execArgv,
  fileParallelism: false,
  maxWorkers: 1,
  testTimeout: SYSTEM_MS,
  hookTimeout: SYSTEM_MS,
  globalSetup: ['test/kit/needs-root.ts'],
};

export default defineConfig({
  root,
  test: {
    teardownTimeout: UNIT_MS,
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts', 'examples/*.test.mjs'],
          exclude: [...SIM, ...SYSTEM, ...INTEROP],
          // One process for each core, modules loaded once: no test leaves anything behind.
          pool: 'forks',
          maxWorkers: 2,
          isolate: false,
          execArgv,
          testTimeout: UNIT_MS,
          hookTimeout: UNIT_MS,
        },
      },
      {
        root,
        test: {
          name: 'sim',
          include: SIM,
          pool: 'forks',
          maxWorkers: 2,
          execArgv,
          testTimeout: SYSTEM_MS,
          hookTimeout: SYSTEM_MS,
        },
      },
      { root, test: { name: 'system', include: SYSTEM, ...NAMESPACES } },
      { root, test: { name: 'interop', include: INTEROP, ...NAMESPACES } },
    ],
  },
});
