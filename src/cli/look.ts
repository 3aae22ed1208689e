// What the commands that look into a running host share: the option --host, and an end in order.

import type { Command } from 'commander';
import { type ControlClient, openHost } from '../node/control-client.ts';
import { failWith } from './report.ts';

export interface LookOptions {
  host?: string;
}

export function lookOption(command: Command): Command {
  return command.option(
    '--host <NAME>',
    'the host to look into: its device, or the path of its control socket (default: the only one)',
  );
}

/** What `--help` ends with. */
export function examples(command: Command, lines: readonly string[]): Command {
  return command.addHelpText(
    'after',
    `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`,
  );
}

/** Opens the host, does `work` and closes; a failure is one sentence and exit code 1. */
export async function look(
  options: LookOptions,
  work: (client: ControlClient) => Promise<void>,
): Promise<void> {
  try {
    const client = await openHost(options.host);
    try {
      await work(client);
    } finally {
      client.close();
    }
  } catch (reason) {
    failWith(reason);
  }
}

export function print(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}
