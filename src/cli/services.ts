// `portside services`: the well-known names and ports, which of them `portside up` serves, and
// those of a running host: list, start, stop.

import { resolve } from 'node:path';
import { Command } from 'commander';
import type { ControlClient } from '../node/control-client.ts';
import { SERVICES } from '../services/names.ts';
import { examples, type LookOptions, look, lookOption, print } from './look.ts';
import { UsageError } from './report.ts';
import type { ServiceRow } from './service-verbs.ts';

interface Options extends LookOptions {
  json?: boolean;
}

export function servicesCommand(): Command {
  const command = new Command('services')
    .summary('well-known names and ports; starts and stops those of up')
    .description(
      'well-known service names and ports and the options that serve them; lists, starts and ' +
        'stops the services of a running host',
    )
    .argument('[WORDS...]', "'list', 'start NAME[=VALUE]...', 'stop NAME...' on a running host")
    .option('--json', 'one JSON object a line');
  examples(command, [
    'portside services',
    'portside services list',
    'portside services start echo http=/srv/www iperf3=5202',
    'portside services stop echo',
  ]);
  return lookOption(command).action(async ([verb, ...names]: string[], o: Options) => {
    if (verb === undefined) {
      process.stdout.write(o.json === true ? servicesJson() : servicesTable());
      return;
    }
    await look(o, (client) => change(client, verb, names, o.json === true));
  });
}

async function change(
  client: ControlClient,
  verb: string,
  names: readonly string[],
  isJson: boolean,
): Promise<void> {
  const say = (row: ServiceRow): void => print([isJson ? JSON.stringify(row) : rowText(row)]);
  if (verb === 'list' && names.length === 0) {
    for (const row of await client.ask<ServiceRow[]>('services')) say(row);
    return;
  }
  if ((verb !== 'start' && verb !== 'stop') || names.length === 0) {
    throw new UsageError("services takes 'list', 'start NAME[=VALUE]...' or 'stop NAME...'");
  }
  for (const typed of names) {
    const { name, value } = wordOf(typed);
    say(await client.ask<ServiceRow>(`service-${verb}`, { name, value }));
  }
}

/** `http=DIR` with DIR made absolute: the host stands in another directory. */
export function wordOf(typed: string): { name: string; value: string } {
  const at = typed.indexOf('=');
  if (at < 0) return { name: typed, value: '' };
  const [name, value] = [typed.slice(0, at), typed.slice(at + 1)];
  return { name, value: name === 'http' && value !== '' ? resolve(value) : value };
}

function rowText({ name, listens }: ServiceRow): string {
  return `${name.padEnd(8)} ${listens.map((l) => `${l.port}/${l.protocol}`).join(' ')}`;
}

export function servicesTable(): string {
  const lines = [['PORT', 'NAME', 'OPTION OF up', 'WHAT']];
  for (const s of SERVICES) {
    lines.push([`${s.port}/${s.protocols.join(',')}`, s.name, s.option ?? '-', s.what]);
  }
  const width = [0, 1, 2].map((i) => Math.max(...lines.map((line) => (line[i] as string).length)));
  return lines
    .map((line) => line.map((cell, i) => cell.padEnd(width[i] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

function servicesJson(): string {
  return SERVICES.map((service) => `${JSON.stringify(service)}\n`).join('');
}
