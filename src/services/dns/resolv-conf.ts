// /etc/resolv.conf as resolv.conf(5) describes it: servers, search list, and the options that this
// resolver has too. What is not understood is passed over, as every reader of that file does.

import { type Address, parse } from '../../wire/address.ts';
import { DNS_PORT } from '../../wire/dns.ts';
import { type DnsServer, MOST_SEARCH, MOST_SERVERS } from './config.ts';

export interface ResolvConf {
  servers: DnsServer[];
  search: string[];
  ndots?: number;
  timeoutMs?: number;
  tries?: number;
  rotate?: boolean;
}

export function readResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { servers: [], search: [] };
  for (const line of text.split('\n')) {
    // Comments stand in the first column (resolv.conf(5)).
    if (/^[#;]/.test(line)) continue;
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === 'nameserver') {
      const address: Address | null = parse(words[0] ?? '');
      if (address === null || conf.servers.length >= MOST_SERVERS) continue;
      conf.servers.push({ address, port: DNS_PORT });
    } else if (keyword === 'search') conf.search = words.slice(0, MOST_SEARCH);
    else if (keyword === 'domain') conf.search = words.slice(0, 1);
    else if (keyword === 'options') for (const word of words) readOption(conf, word);
  }
  return conf;
}

function readOption(conf: ResolvConf, word: string): void {
  const [name, value] = word.split(':');
  const n = /^[0-9]{1,4}$/.test(value ?? '') ? Number(value) : Number.NaN;
  if (name === 'rotate') conf.rotate = true;
  else if (Number.isNaN(n)) return;
  // The limits are resolv.conf(5)'s.
  else if (name === 'ndots') conf.ndots = Math.min(n, 15);
  else if (name === 'timeout') conf.timeoutMs = Math.min(Math.max(n, 1), 30) * 1000;
  else if (name === 'attempts') conf.tries = Math.min(Math.max(n, 1), 5);
}
