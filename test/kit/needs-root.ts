// Global set-up of the `system` project, also when vitest is called by hand: one clear line instead
// of a hundred failures, and no namespaces of dead runs left over.

import { spawnSync } from 'node:child_process';

export default function setup(): void {
  if (spawnSync('unshare', ['-n', 'true']).status === 0) return;
  throw new Error('the system tests need root and network namespaces');
}
