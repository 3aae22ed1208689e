// What an answer says about its question and for how long (RFC 1035 §7.4, RFC 2181 §5, RFC 2308).

import {
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  DnsType,
  typeOf,
} from '../../wire/dns.ts';
import { sameName } from '../../wire/dns-name.ts';
import { codeOf, type DnsReply } from './config.ts';

/** Aliases that one answer may go through. */
const MOST_ALIASES = 16;

/**
 * The records of the question's type at the end of its chain of CNAMEs, the chain before them.
 * Records of other names are nobody's answer (RFC 5452 §6).
 */
export function replyOf(message: DnsMessage, question: DnsQuestion): DnsReply {
  const chain = chainOf(message.answers, question);
  const error = codeOf(message.rcode);
  const isFound = chain.some((r) => typeOf(r) === question.type) || question.type === DnsType.ANY;
  if (error === null && chain.length > 0 && isFound) {
    const ttlS = chain.reduce((least, r) => Math.min(least, r.ttl), Infinity);
    return { code: null, records: chain, ttlS, isEveryType: false };
  }
  const code = error ?? 'ENODATA';
  const isNegative = code === 'ENODATA' || code === 'ENOTFOUND';
  const ttlS = isNegative ? negativeTtl(message, chain) : 0;
  // RFC 6604 §3: behind an alias it is the last name that does not exist.
  return { code, records: [], ttlS, isEveryType: code === 'ENOTFOUND' && chain.length === 0 };
}

function chainOf(answers: readonly DnsRecord[], question: DnsQuestion): DnsRecord[] {
  const chain: DnsRecord[] = [];
  let owner = question.name;
  for (let i = 0; i < MOST_ALIASES; i++) {
    const here = answers.filter((r) => sameName(r.name, owner));
    const wanted =
      question.type === DnsType.ANY ? here : here.filter((r) => typeOf(r) === question.type);
    if (wanted.length > 0) return [...chain, ...wanted];
    const alias = here.find((r) => r.kind === 'CNAME');
    if (alias === undefined || alias.kind !== 'CNAME') break;
    chain.push(alias);
    owner = alias.target;
  }
  return chain;
}

/** RFC 2308 §5: the SOA's own TTL or its MINIMUM, the smaller; without an SOA none. */
function negativeTtl(message: DnsMessage, chain: readonly DnsRecord[]): number {
  const soa = message.authorities.find((r) => r.kind === 'SOA');
  if (soa === undefined || soa.kind !== 'SOA') return 0;
  return Math.min(soa.ttl, soa.minimum, ...chain.map((r) => r.ttl));
}
