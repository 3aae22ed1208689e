// iproute2's way of saying things: `add 10.9.0.0/16 via 10.77.0.1 dev portside0 metric 5`: a verb,
// what it is about, and pairs of a word and its value.

import { isIP } from 'node:net';
import { parseTyped } from './addresses.ts';
import { UsageError } from './report.ts';

export type IpVerb = 'show' | 'add' | 'del' | 'set';

const VERBS: Readonly<Record<string, IpVerb>> = {
  show: 'show',
  list: 'show',
  ls: 'show',
  add: 'add',
  del: 'del',
  delete: 'del',
  set: 'set',
};

export interface Said {
  readonly verb: IpVerb;
  readonly about: string;
  /** The words behind, each with its value. */
  readonly pairs: ReadonlyMap<string, string>;
}

/** Throws UsageError: a verb that is not among `verbs`, a word that is not among `known`. */
export function said(
  words: readonly string[],
  verbs: readonly IpVerb[],
  known: readonly string[],
): Said {
  const [first = 'show', ...rest] = words;
  const verb = VERBS[first];
  if (verb === undefined || !verbs.includes(verb)) {
    throw new UsageError(`'${first}' is none of ${verbs.join(', ')}`);
  }
  const about = verb === 'show' ? '' : (rest.shift() ?? '');
  if (verb !== 'show' && about === '') throw new UsageError(`what shall be ${verb} is missing`);
  const pairs = new Map<string, string>();
  for (let i = 0; i < rest.length; i += 2) {
    const word = rest[i] as string;
    const value = rest[i + 1];
    if (!known.includes(word)) throw new UsageError(`'${word}' is none of ${known.join(', ')}`);
    if (value === undefined) throw new UsageError(`'${word}' lacks its value`);
    pairs.set(word, value);
  }
  return { verb, about, pairs };
}

/** `dev` as the control socket's `device`. */
export function deviceOf(pairs: ReadonlyMap<string, string>): { device?: string } {
  const device = pairs.get('dev');
  return device === undefined ? {} : { device };
}

/** A whole number of a pair; nothing where the word was not said. */
export function numberPair(
  pairs: ReadonlyMap<string, string>,
  word: string,
): Record<string, number> {
  const text = pairs.get(word);
  if (text === undefined) return {};
  if (!/^\d{1,10}$/.test(text)) throw new UsageError(`${word}: '${text}' is not a number`);
  return { [word]: Number(text) };
}

/** `default`, `10.9.0.0/16`, or an address alone. */
export function destination(text: string, six: boolean): string {
  if (text === 'default') return six ? '::/0' : '0.0.0.0/0';
  const family = isIP(text);
  if (family !== 0) return `${text}/${family === 6 ? 128 : 32}`;
  return parseTyped(text, 'route').text;
}
