// A stub resolver over a stack: questions to recursive servers, each asked once however many want
// to know, answers kept while they hold. Callbacks and numbers, no Node: time and chance are the
// owner's. RFC 1034 §5, RFC 1123 §6.1.

import type { Stack } from '../../stack/stack.ts';
import type { Address } from '../../wire/address.ts';
import { DnsClass, type DnsQuestion, DnsType } from '../../wire/dns.ts';
import { nameToWire } from '../../wire/dns-name.ts';
import type { Timers } from '../service.ts';
import { DnsCache } from './cache.ts';
import {
  DNS_DEFAULTS,
  type DnsConfig,
  type DnsGround,
  type DnsReply,
  type DnsServer,
  DnsStats,
  failed,
  MOST_SERVERS,
  ServerState,
} from './config.ts';
import { Exchange } from './exchange.ts';

export interface ResolverOptions {
  readonly stack: Stack;
  readonly timers: Timers;
  readonly servers?: readonly DnsServer[];
  readonly config?: Partial<DnsConfig>;
}

/** Told once; never inside the call that asked unless the answer was there already. */
export type ReplyCallback = (reply: DnsReply) => void;

/** A question that is being asked, and who wants to know. */
interface Pending {
  readonly question: DnsQuestion;
  readonly key: string;
  readonly callbacks: ReplyCallback[];
  exchange: Exchange | null;
}

export class DnsResolver {
  readonly config: DnsConfig;
  readonly stats = new DnsStats();
  readonly cache: DnsCache;
  /** Told when the first question is under way, and when the last one is over. */
  onBusy: ((isBusy: boolean) => void) | null = null;
  readonly #ground: DnsGround;
  #servers: ServerState[] = [];
  #first = 0;
  readonly #pending = new Map<string, Pending>();
  readonly #waiting: Pending[] = [];
  #inFlight = 0;
  #isStarting = false;

  constructor(options: ResolverOptions) {
    const { stack, timers } = options;
    this.config = { ...DNS_DEFAULTS, ...options.config };
    this.cache = new DnsCache(this.config);
    const { config, stats } = this;
    this.#ground = { stack, timers, config, stats, local4: null, local6: null };
    this.servers = options.servers ?? [];
  }

  get servers(): readonly DnsServer[] {
    return this.#servers;
  }

  /** Questions under way stay with their servers; what was learned of others is forgotten. */
  set servers(servers: readonly DnsServer[]) {
    const states = servers.map((server) => new ServerState(server));
    const isFirst = (one: ServerState, i: number): boolean =>
      states.findIndex((s) => s.port === one.port && s.address.equals(one.address)) === i;
    this.#servers = states.filter(isFirst).slice(0, MOST_SERVERS);
    this.cache.clear();
  }

  /** Where questions come from, for each family; null: as the routes say. */
  setLocal(local4: Address | null, local6: Address | null): void {
    this.#ground.local4 = local4;
    this.#ground.local6 = local6;
  }

  get isBusy(): boolean {
    return this.#pending.size > 0;
  }

  /**
   * Asks for the records of a name. Codes: ENOTFOUND, ENODATA, EFORMERR, ESERVFAIL, ENOTIMP,
   * EREFUSED, EBADNAME, EBADRESP, ECONNREFUSED (also without servers), ETIMEOUT, ENOMEM (too many
   * questions wait), ECANCELLED.
   * @param type number of the record type, DnsType.ANY for all
   */
  resolve(name: string, type: number, done: ReplyCallback): void {
    const { stats, config } = this;
    stats.questions++;
    if (nameToWire(name) === null) return done(failed('EBADNAME'));
    if (isNowhere(name)) return done(failed('ENOTFOUND'));
    const question = { name: name.replace(/\.$/, ''), type, class: DnsClass.IN };
    const known = this.cache.find(question, this.#ground.timers.nowUs());
    if (known !== null) {
      stats.cacheHits++;
      return done(known);
    }
    if (this.#servers.length === 0) return done(failed('ECONNREFUSED'));
    const key = `${type} ${question.name.toLowerCase()}`;
    const same = this.#pending.get(key);
    // RFC 5452 §5: never two questions alike at a time, that would double a forger's odds.
    if (same !== undefined) {
      same.callbacks.push(done);
      return;
    }
    if (this.#waiting.length >= config.maxWaiting) return done(failed('ENOMEM'));
    const pending: Pending = { question, key, callbacks: [done], exchange: null };
    this.#pending.set(key, pending);
    if (this.#pending.size === 1) this.onBusy?.(true);
    this.#waiting.push(pending);
    this.#startWaiting();
  }

  /** Ends every question with ECANCELLED. */
  cancel(): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    this.#waiting.length = 0;
    this.#inFlight = 0;
    if (all.length > 0) this.onBusy?.(false);
    for (const { exchange, callbacks } of all) {
      exchange?.cancel();
      for (const done of callbacks) done(failed('ECANCELLED'));
    }
  }

  /** In a loop: where no question can leave, each one's end would start the next one inside. */
  #startWaiting(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    while (this.#inFlight < this.config.maxInFlight) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#start(next);
    }
    this.#isStarting = false;
  }

  #start(pending: Pending): void {
    this.#inFlight++;
    const exchange = new Exchange(this.#ground, pending.question, this.#order(), (reply) =>
      this.#finish(pending, reply),
    );
    pending.exchange = exchange;
    exchange.start();
  }

  /** Servers that have lately been silent come last. */
  #order(): ServerState[] {
    const n = this.#servers.length;
    const first = this.config.rotate ? this.#first++ % n : 0;
    const turned = [...this.#servers.slice(first), ...this.#servers.slice(0, first)];
    const nowUs = this.#ground.timers.nowUs();
    return [
      ...turned.filter((server) => server.avoidUntilUs <= nowUs),
      ...turned.filter((server) => server.avoidUntilUs > nowUs),
    ];
  }

  #finish(pending: Pending, reply: DnsReply): void {
    if (this.#pending.get(pending.key) !== pending) return;
    this.#pending.delete(pending.key);
    this.#inFlight--;
    const { question, callbacks } = pending;
    // RFC 8482 §7: what a server says to ANY is not all there is.
    if (question.type !== DnsType.ANY) {
      this.cache.keep(question, reply, this.#ground.timers.nowUs());
    }
    if (this.#pending.size === 0) this.onBusy?.(false);
    try {
      for (const done of callbacks) done(reply);
    } finally {
      this.#startWaiting();
    }
  }
}

/** Names that no server is asked for: RFC 6761 §6.4 (`invalid`), RFC 7686 §2 (`onion`). */
function isNowhere(name: string): boolean {
  return /(^|\.)(invalid|onion)\.?$/i.test(name);
}
