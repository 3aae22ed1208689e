// `portside neigh`: the neighbours of a running host, as `ip neigh`. A TUN has none: it is a wire
// with one other end.

import { Command } from 'commander';
import { type NeighbourRow, neighbourJson, neighbourText } from '../inspect/ip-text.ts';
import { examples, type LookOptions, look, lookOption, print } from './look.ts';

export function neighCommand(): Command {
  const command = new Command('neigh')
    .alias('neighbour')
    .summary('its neighbours on Ethernet links, as ip neigh')
    .description('the neighbours of a running host on Ethernet links, as ip neigh')
    .option('-j, --json', 'an array of objects, as ip -j');
  examples(command, ['portside neigh', 'portside neigh -j']);
  return lookOption(command).action((o: LookOptions & { json?: boolean }) =>
    look(o, async (client) => {
      const rows = await client.ask<NeighbourRow[]>('neighbours');
      print(o.json === true ? [JSON.stringify(neighbourJson(rows))] : neighbourText(rows));
    }),
  );
}
