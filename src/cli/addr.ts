// `portside addr`: the addresses of a running host, as `ip -br addr`; it takes and gives up some.

import { Command } from 'commander';
import { addressJson, addressText } from '../inspect/ip-text.ts';
import type { AddressRow } from '../stack/tables.ts';
import { parseTyped } from './addresses.ts';
import { examples, type LookOptions, look, lookOption, print } from './look.ts';
import { deviceOf, said } from './words.ts';

interface Options extends LookOptions {
  json?: boolean;
  all?: boolean;
  ipv4?: boolean;
  ipv6?: boolean;
}

export function addrCommand(): Command {
  const command = new Command('addr')
    .alias('address')
    .summary('the addresses of a running host, as ip addr; changes them')
    .description('the addresses of a running host, as ip -br addr; adds and removes them')
    .argument('[WORDS...]', "'show', 'add ADDR/LEN [dev NAME]', 'del ADDR/LEN [dev NAME]'")
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('--all', 'add, del: every address of the prefix')
    .option('-j, --json', 'an array of objects, as ip -j');
  examples(command, [
    'portside addr',
    'portside addr add 10.77.0.3/24',
    'portside addr add 10.9.0.0/16 --all',
    'portside addr del 10.77.0.3/24',
  ]);
  return lookOption(command).action((words: string[], o: Options) =>
    look(o, async (client) => {
      const { verb, about, pairs } = said(words, ['show', 'add', 'del'], ['dev']);
      if (verb !== 'show') {
        const prefix = parseTyped(about, verb).text;
        const all = o.all === true;
        await client.ask(`address-${verb}`, { prefix, all, ...deviceOf(pairs) });
        return;
      }
      const wanted = o.ipv4 === o.ipv6 ? 0 : o.ipv4 === true ? 4 : 6;
      const all = await client.ask<AddressRow[]>('addresses');
      const rows = all.filter((row) => wanted === 0 || row.family === wanted);
      print(o.json === true ? [JSON.stringify(addressJson(rows))] : addressText(rows));
    }),
  );
}
