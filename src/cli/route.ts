// `portside route`: the routes of a running host, as `ip route`; adds and removes them.

import { Command } from 'commander';
import { routeJson, routeText } from '../inspect/ip-text.ts';
import type { RouteRow } from '../stack/tables.ts';
import { parseAddress } from './addresses.ts';
import { examples, type LookOptions, look, lookOption, print } from './look.ts';
import { destination, deviceOf, numberPair, said } from './words.ts';

interface Options extends LookOptions {
  json?: boolean;
  ipv4?: boolean;
  ipv6?: boolean;
}

export function routeCommand(): Command {
  const command = new Command('route')
    .summary('its routes, as ip route; changes them')
    .description('the routes of a running host, as ip route; adds and removes them')
    .argument(
      '[WORDS...]',
      "'show', 'add PREFIX [via ADDR] [dev NAME] [metric N] [mtu N]', 'del …'",
    )
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('-j, --json', 'an array of objects, as ip -j');
  examples(command, [
    'portside route',
    'portside route add 10.9.0.0/16 via 10.77.0.1',
    'portside route add default via 10.77.0.1 metric 10',
    'portside route del 10.9.0.0/16 via 10.77.0.1',
  ]);
  return lookOption(command).action((words: string[], o: Options) =>
    look(o, async (client) => {
      const known = ['via', 'dev', 'metric', 'mtu'];
      const { verb, about, pairs } = said(words, ['show', 'add', 'del'], known);
      if (verb !== 'show') {
        const gateway = pairs.get('via');
        const via = gateway === undefined ? undefined : parseAddress(gateway, 'via');
        const six = o.ipv6 === true || via?.includes(':') === true;
        await client.ask(`route-${verb}`, {
          prefix: destination(about, six),
          ...(via === undefined ? {} : { via }),
          ...deviceOf(pairs),
          ...numberPair(pairs, 'metric'),
          ...numberPair(pairs, 'mtu'),
        });
        return;
      }
      const wanted = o.ipv4 === o.ipv6 ? 0 : o.ipv4 === true ? 4 : 6;
      const all = await client.ask<RouteRow[]>('routes');
      const rows = all.filter((row) => wanted === 0 || row.family === wanted);
      print(o.json === true ? [JSON.stringify(routeJson(rows))] : routeText(rows));
    }),
  );
}
