// `portside link`: the links of a running host and what they do themselves, as `ip -br link`; sets
// an MTU.

import { Command } from 'commander';
import { linkJson, linkText } from '../inspect/ip-text.ts';
import type { LinkRow } from '../stack/tables.ts';
import { examples, type LookOptions, look, lookOption, print } from './look.ts';
import { UsageError } from './report.ts';
import { numberPair, said } from './words.ts';

export function linkCommand(): Command {
  const command = new Command('link')
    .summary('its links, as ip link; sets the MTU of one')
    .description('the links of a running host, as ip -br link; sets the MTU of one')
    .argument('[WORDS...]', "'show', 'set NAME mtu N'")
    .option('-j, --json', 'an array of objects, as ip -j');
  examples(command, ['portside link', 'portside link set portside0 mtu 1400']);
  return lookOption(command).action((words: string[], o: LookOptions & { json?: boolean }) =>
    look(o, async (client) => {
      const { verb, about, pairs } = said(words, ['show', 'set'], ['mtu']);
      if (verb === 'set') {
        const mtu = numberPair(pairs, 'mtu');
        if (mtu.mtu === undefined) throw new UsageError(`set ${about}: 'mtu N' is missing`);
        await client.ask('link-set', { device: about, ...mtu });
        return;
      }
      const rows = await client.ask<LinkRow[]>('links');
      print(o.json === true ? [JSON.stringify(linkJson(rows))] : linkText(rows));
    }),
  );
}
