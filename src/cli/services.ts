// `portside services`: the well-known names and ports, and which of them `portside up` serves.

import { Command } from 'commander';
import { SERVICES } from '../services/names.ts';

export function servicesCommand(): Command {
  return new Command('services')
    .summary('well-known service names and ports, and which up serves')
    .description('list well-known service names and ports, and the options that serve them')
    .option('--json', 'one JSON object a line')
    .action((options: { json?: boolean }) => {
      process.stdout.write(options.json === true ? servicesJson() : servicesTable());
    });
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
