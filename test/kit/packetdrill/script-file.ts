// Reads a packetdrill script into events: head options (`--mtu=1200`), times, packets, system calls,
// shell commands in backquotes and blocks of assertions (`%{ … }%`).

import { CONSTANTS, ERRNO } from './constants.ts';
import { Cursor } from './cursor.ts';
import { type PdPacket, parsePacket } from './packet-notation.ts';

/** When an event happens, µs. A call with `endUs` blocks until then. */
export interface PdWhen {
  readonly kind: 'at' | 'after' | 'any';
  readonly us: number;
  /** The later bound of a range; `us` otherwise. */
  readonly untilUs: number;
  readonly endUs: number | null;
}

export interface Anything {
  readonly anything: true;
}
export interface Text {
  readonly text: string;
}
export interface Struct {
  readonly fields: ReadonlyMap<string, Value>;
}
/** An argument of a call. A list is `[…]`. */
export type Value = number | Anything | Text | Struct | readonly Value[];

export interface PdCall {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Value[];
  /** null: whatever it answers (`= ?`). */
  readonly result: number | null;
  readonly errno: string | null;
}

export type PdAction =
  | { readonly kind: 'in'; readonly packet: PdPacket }
  | { readonly kind: 'out'; readonly packet: PdPacket }
  | PdCall
  | { readonly kind: 'command'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string };

export interface PdEvent {
  readonly line: number;
  readonly when: PdWhen;
  readonly action: PdAction;
}

export interface PdScript {
  readonly cursor: Cursor;
  readonly options: ReadonlyMap<string, string>;
  readonly events: readonly PdEvent[];
}

const AT_ONCE: PdWhen = { kind: 'after', us: 0, untilUs: 0, endUs: null };

/** `--name=value`, `-D NAME=VALUE`. */
const OPTION = /--(\w+)(?:=(\S+))?|-D\s*(\w+=\S+)/y;

export function parsePd(source: string): PdScript {
  const c = new Cursor(source);
  const options = new Map<string, string>();
  const events: PdEvent[] = [];
  for (let m = c.take(OPTION); m !== null; m = c.take(OPTION)) {
    const name = m[1] ?? 'define';
    const value = m[2] ?? m[3];
    options.set(name, options.has(name) ? `${options.get(name)} ${value}` : (value ?? 'true'));
  }
  while (!c.atEnd) {
    const line = c.line;
    const timeless = c.sees('`') || c.sees('%{');
    const when = timeless ? AT_ONCE : parseWhen(c);
    events.push({ line, when, action: parseAction(c) });
  }
  return { cursor: c, options, events };
}

const NUMBER = /(\+?)\s*(\d*\.?\d+|\d+\.)(?![\w:])/y;

function parseWhen(c: Cursor): PdWhen {
  if (c.accept('*')) return { kind: 'any', us: 0, untilUs: Infinity, endUs: null };
  const first = c.must(NUMBER, 'a time');
  const us = micros(first[2] as string);
  const kind = first[1] === '+' ? 'after' : 'at';
  if (c.accept('~')) {
    const until = c.must(NUMBER, 'the end of a range of times');
    return { kind, us, untilUs: micros(until[2] as string), endUs: null };
  }
  if (c.accept('...')) {
    const end = c.must(NUMBER, 'the time when the call ends');
    return { kind, us, untilUs: us, endUs: micros(end[2] as string) };
  }
  return { kind, us, untilUs: us, endUs: null };
}

function micros(text: string): number {
  return Math.round(Number(text) * 1e6);
}

function parseAction(c: Cursor): PdAction {
  if (c.accept('`')) return { kind: 'command', text: c.until('`') };
  if (c.accept('%{')) return { kind: 'code', text: c.until('}%') };
  if (c.accept('<')) return { kind: 'in', packet: parsePacket(c, true) };
  if (c.accept('>')) return { kind: 'out', packet: parsePacket(c, false) };
  return parseCall(c);
}

function parseCall(c: Cursor): PdCall {
  const name = c.must(/[a-z_]\w*/y, 'a packet, a call, a command or a block')[0];
  c.expect('(');
  const args: Value[] = [];
  if (!c.accept(')')) {
    do args.push(parseValue(c));
    while (c.accept(','));
    c.expect(')');
  }
  if (!c.accept('=')) return { kind: 'call', name, args, result: 0, errno: null };
  if (c.accept('?')) return { kind: 'call', name, args, result: null, errno: null };
  const value = parseValue(c);
  if (typeof value !== 'number') return c.fail('the result of a call is a number');
  const errno = c.take(/E[A-Z0-9]+/y);
  if (errno !== null && ERRNO[errno[0]] === undefined) c.fail(`no errno ${errno[0]}`);
  c.take(/\([^)\n]*\)/y);
  return { kind: 'call', name, args, result: value, errno: errno?.[0] ?? null };
}

function parseValue(c: Cursor): Value {
  if (c.accept('...')) return { anything: true };
  if (c.accept('[')) return parseList(c);
  if (c.accept('{')) return parseStruct(c);
  const text = c.take(/"((?:[^"\\]|\\.)*)"/y);
  if (text !== null) return { text: text[1] as string };
  let value = parseTerm(c);
  while (c.accept('|')) value |= parseTerm(c);
  return value;
}

function parseTerm(c: Cursor): number {
  const number = c.take(/-?(?:0x[0-9a-fA-F]+|\d+)/y);
  if (number !== null) return Number(number[0]);
  const call = c.take(/(?:htons|htonl)\s*\(\s*(\d+)\s*\)/y);
  if (call !== null) return Number(call[1]);
  const address = c.take(/inet_addr\s*\(\s*"[\d.]+"\s*\)/y);
  if (address !== null) return 0;
  const name = c.must(/[A-Za-z_]\w*/y, 'a value')[0];
  return CONSTANTS[name] ?? c.fail(`no constant ${name}`);
}

function parseList(c: Cursor): Value[] {
  const items: Value[] = [];
  if (c.accept(']')) return items;
  do items.push(parseValue(c));
  while (c.accept(','));
  c.expect(']');
  return items;
}

/** `{name=value, …}`; parts without a name are called 0, 1, …; `msg_iov(1)=` is `msg_iov`. */
function parseStruct(c: Cursor): Struct {
  const fields = new Map<string, Value>();
  let unnamed = 0;
  while (!c.accept('}')) {
    const name = c.take(/\.?([a-z_]\w*)\s*(?:\((?:\d+|\.\.\.)\))?\s*=(?!=)/y);
    fields.set(name?.[1] ?? String(unnamed++), parseValue(c));
    c.accept(',');
  }
  return { fields };
}
