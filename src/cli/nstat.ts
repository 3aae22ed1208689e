// `portside nstat`: the counters of a running host, as nstat shows the kernel's.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { nstatRows, nstatText, type Values, valuesOf } from '../inspect/nstat.ts';
import { controlFolder } from '../node/control.ts';
import type { ControlClient } from '../node/control-client.ts';
import { type LookOptions, look, lookOption, print } from './look.ts';

interface Options extends LookOptions {
  ignore?: boolean;
  zeros?: boolean;
  noupdate?: boolean;
  reset?: boolean;
  json?: boolean;
}

export function nstatCommand(): Command {
  const command = new Command('nstat')
    .summary('its counters, and why packets were discarded, as nstat')
    .description('the counters of a running host, and why packets were discarded')
    .argument('[NAME...]', "counters, '*' for any letters: 'TcpExt*'; default: all")
    .option('-a, --ignore', 'since the start, not since the last look')
    .option('-z, --zeros', 'zeros too')
    .option('-s, --noupdate', 'do not remember this look')
    .option('-r, --reset', 'remember now and print nothing')
    .option('--json', 'one JSON object');
  return lookOption(command).action((patterns: string[], options: Options) =>
    look(options, (client) => nstat(client, patterns, options)),
  );
}

/** The last look belongs to one run of a host: a new process starts at 0. */
function historyFile(client: ControlClient): string {
  return join(controlFolder(), `${basename(client.words.name)}.nstat.json`);
}

function lastLook(client: ControlClient): Values {
  try {
    const { pid, values } = JSON.parse(readFileSync(historyFile(client), 'utf8'));
    return pid === client.words.pid ? values : {};
  } catch {
    return {};
  }
}

async function nstat(client: ControlClient, patterns: string[], o: Options): Promise<void> {
  const { counters, drops } = await client.ask<{ counters: Values; drops: Values }>('counters');
  const values = valuesOf(counters, drops);
  const before = o.ignore === true ? null : lastLook(client);
  const rows = nstatRows(values, { before, zeros: o.zeros === true, patterns });
  if (o.reset !== true) {
    print(o.json === true ? [JSON.stringify(Object.fromEntries(rows))] : nstatText(rows));
  }
  if (o.noupdate === true) return;
  // a host that was named by a path may be the only thing this user has ever had running
  mkdirSync(controlFolder(), { recursive: true, mode: 0o700 });
  const text = JSON.stringify({ pid: client.words.pid, values });
  writeFileSync(historyFile(client), text, { mode: 0o600 });
}
