// `portside inspect`: a page in the browser that shows a running host, on 127.0.0.1 alone, until
// SIGINT or SIGTERM.

import { Command } from 'commander';
import { parsePort } from './addresses.ts';
import { inspectHost } from './inspect-host.ts';
import { type LookOptions, lookOption } from './look.ts';
import { failWith } from './report.ts';
import { untilSignal } from './up.ts';

interface Options extends LookOptions {
  port?: string;
}

export function inspectCommand(): Command {
  const command = new Command('inspect')
    .summary('a page in the browser that shows its sockets and packets')
    .description('a page in the browser that shows the sockets and packets of a running host')
    .option('--port <N>', 'port on 127.0.0.1 (default: a free one)')
    .action(async (options: Options) => {
      try {
        await run(options);
      } catch (reason) {
        failWith(reason);
      }
    });
  return lookOption(command);
}

async function run(options: Options): Promise<void> {
  const port = portOf(options.port);
  const stop = untilSignal();
  const inspector = await inspectHost(options.host, port);
  process.stdout.write(`${inspector.url}\n`);
  await stop;
  inspector.close();
  process.exit(0);
}

export function portOf(text: string | undefined): number {
  return text === undefined ? 0 : parsePort(text, '--port');
}
