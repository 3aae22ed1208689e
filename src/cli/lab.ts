// `portside lab`: scenarios that teach, played in the simulator, without root: in the browser with
// the inspector on top, or as a ladder of packets in text.

import { Command } from 'commander';
import { SCENARIOS, scenarioOf } from '../sim/lab/scenarios.ts';
import { LabSource } from '../web/laboratory.ts';
import { ladder } from '../web/ladder.ts';
import { serveInspector } from '../web/server.ts';
import { portOf } from './inspect.ts';
import { print } from './look.ts';
import { failWith, UsageError } from './report.ts';
import { untilSignal } from './up.ts';

interface Options {
  text?: boolean;
  list?: boolean;
  port?: string;
  all?: boolean;
}

export function labCommand(): Command {
  return new Command('lab')
    .summary('scenarios that teach TCP, in the browser or as text')
    .description('scenarios that teach TCP, in the browser or as text; needs no root')
    .argument('[NAME]', 'a scenario (default: the first; --list names them)')
    .option('--list', 'name the scenarios')
    .option('--text', 'print what happens as a ladder of packets')
    .option('--all', 'with --text: every packet, also of long scenarios')
    .option('--port <N>', 'port on 127.0.0.1 (default: a free one)')
    .addHelpText(
      'after',
      '\nExamples:\n  portside lab                          # prints an address for your browser' +
        '\n  portside lab fast-retransmit --text   # the same story as text',
    )
    .action(async (name: string | undefined, options: Options) => {
      try {
        await run(name, options);
      } catch (reason) {
        failWith(reason);
      }
    });
}

async function run(name: string | undefined, options: Options): Promise<void> {
  if (options.list === true) return print(SCENARIOS.map(listed));
  const scenario = scenarioOf(name ?? (SCENARIOS[0]?.name as string));
  if (scenario === null) {
    const names = SCENARIOS.map((one) => one.name).join(', ');
    throw new UsageError(`there is no scenario '${name}' (known: ${names})`);
  }
  if (options.text === true) return print(ladder(scenario, options.all === true ? Infinity : 60));
  const stop = untilSignal();
  const inspector = await serveInspector(new LabSource(scenario), { port: portOf(options.port) });
  process.stdout.write(`${inspector.url}\n`);
  await stop;
  inspector.close();
  process.exit(0);
}

function listed({ name, title }: { name: string; title: string }): string {
  return `${name.padEnd(20)}${title}`;
}
