// Answers for as long as they hold: RFC 1035 §7.4 for what is, RFC 2308 for what is not. Bounded;
// what has not been asked for the longest time goes first.

import type { DnsQuestion, DnsRecord } from '../../wire/dns.ts';
import type { DnsConfig, DnsReply } from './config.ts';

interface Entry {
  readonly reply: DnsReply;
  readonly bornUs: number;
  readonly deadUs: number;
}

export class DnsCache {
  readonly #config: DnsConfig;
  /** In the order of use. */
  readonly #entries = new Map<string, Entry>();

  constructor(config: DnsConfig) {
    this.#config = config;
  }

  get size(): number {
    return this.#entries.size;
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The answer with what is left of its TTLs, or null. */
  find(question: DnsQuestion, nowUs: number): DnsReply | null {
    // RFC 2308 §5: a name that does not exist has no record of any type.
    for (const key of [keyOf(question), nameKey(question)]) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      this.#entries.delete(key);
      if (entry.deadUs <= nowUs) continue;
      this.#entries.set(key, entry);
      const ageS = Math.floor((nowUs - entry.bornUs) / 1e6);
      return { ...entry.reply, records: entry.reply.records.map((r) => aged(r, ageS)) };
    }
    return null;
  }

  keep(question: DnsQuestion, reply: DnsReply, nowUs: number): void {
    const { cacheEntries, maxTtlS, maxNegativeTtlS } = this.#config;
    const most = reply.code === null ? maxTtlS : maxNegativeTtlS;
    const ttlS = Math.min(reply.ttlS, most);
    if (ttlS <= 0 || cacheEntries <= 0) return;
    const key = reply.isEveryType ? nameKey(question) : keyOf(question);
    this.#entries.delete(key);
    this.#entries.set(key, { reply, bornUs: nowUs, deadUs: nowUs + ttlS * 1e6 });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= cacheEntries) break;
      this.#entries.delete(oldest);
    }
  }
}

function aged(record: DnsRecord, ageS: number): DnsRecord {
  return { ...record, ttl: Math.max(0, record.ttl - ageS) };
}

function keyOf(q: DnsQuestion): string {
  return `${q.class} ${q.type} ${q.name.toLowerCase()}`;
}

/** Stands for every type. */
function nameKey(q: DnsQuestion): string {
  return `${q.class} * ${q.name.toLowerCase()}`;
}
