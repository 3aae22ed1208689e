// `portside build-native`: builds the addon of an installed package on this machine.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';

export function buildNativeCommand(): Command {
  return new Command('build-native')
    .summary('build the native addon on this machine')
    .description('build the native addon on this machine (needs cmake, make and a C++ compiler)')
    .option('--force', 'also when it is up to date')
    .action((options: { force?: boolean }) => {
      const script = fileURLToPath(new URL('../../scripts/build-native.mjs', import.meta.url));
      const args = options.force === true ? [script, '--force'] : [script];
      const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
      process.exitCode = status ?? 1;
    });
}
