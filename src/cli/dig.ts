// `portside dig`: one question to a name server through a host's stack, in dig's words. Exit codes
// as dig's: 0 there was an answer, whatever it says; 9 nobody answered; 1 misuse.

import { randomInt } from 'node:crypto';
import { isIP } from 'node:net';
import { Command } from 'commander';
import { dataText, digText } from '../inspect/dig-text.ts';
import type { ControlClient } from '../node/control-client.ts';
import { frameOf, readFrames } from '../node/frames.ts';
import { reverseName } from '../services/dns/reverse.ts';
import { type Address, parse } from '../wire/address.ts';
import { DNS_PORT, DnsClass, type DnsMessage, DnsType, dnsQuery } from '../wire/dns.ts';
import { decodeDns } from '../wire/dns-decode.ts';
import { encodeDns } from '../wire/dns-encode.ts';
import { parsePort } from './addresses.ts';
import { examples } from './look.ts';
import { UsageError } from './report.ts';
import { addressesOf, type ThroughOptions, through, throughOptions } from './through.ts';

interface Options extends ThroughOptions {
  port?: string;
  reverse?: string;
  json?: boolean;
}

/** As dig: UDP payload that EDNS offers, seconds for an answer, and tries. */
const UDP_SIZE = 1232;
const SECONDS = 5;
const TRIES = 3;
const NOBODY = 9;

export interface Question {
  readonly server: string | null;
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly short: boolean;
  readonly tcp: boolean;
  readonly recurse: boolean;
  readonly edns: boolean;
  readonly ms: number;
  readonly tries: number;
}

export function digCommand(): Command {
  const command = new Command('dig')
    .summary("asks a name server through a host's stack, as dig")
    .description("asks a name server through a host's stack, in dig's words")
    .argument(
      '[WORDS...]',
      '@SERVER NAME TYPE CLASS +short +tcp +norecurse +noedns +time=N +tries=N',
    )
    .option('-p, --port <N>', "the server's port (default: 53)")
    .option('-x, --reverse <ADDR>', 'the name of an address')
    .option('--json', 'the message as one JSON object');
  examples(command, [
    'portside dig @10.77.0.1 example.org',
    'portside dig @10.77.0.1 example.org MX +short',
    'portside dig @10.77.0.1 -x 10.77.0.2 +tcp',
  ]);
  return throughOptions(command).action((words: string[], o: Options) =>
    through(o, ['dig', 1], (client) => dig(client, words, o)),
  );
}

const CLASSES: Readonly<Record<string, number>> = { IN: DnsClass.IN, CH: DnsClass.CH };

/** What the words ask for. Throws UsageError. */
export function questionOf(words: readonly string[], reverse?: string): Question {
  const types: Readonly<Record<string, number>> = DnsType;
  let server: string | null = null;
  let name: string | null = reverse === undefined ? null : reverseOf(reverse);
  let type: number = reverse === undefined ? DnsType.A : DnsType.PTR;
  let klass: number = DnsClass.IN;
  const flags = new Set<string>();
  const values = new Map<string, number>();
  for (const word of words) {
    const upper = word.toUpperCase();
    const numbered = /^TYPE(\d{1,5})$/.exec(upper);
    const valued = /^\+(time|timeout|tries)=(\d{1,3})$/.exec(word);
    if (word.startsWith('@')) server = word.slice(1);
    else if (valued !== null) {
      values.set((valued[1] as string).replace('timeout', 'time'), Number(valued[2]));
    } else if (word.startsWith('+')) flags.add(word.slice(1));
    else if (name !== null && types[upper] !== undefined) type = types[upper] as number;
    else if (name !== null && numbered !== null) type = Number(numbered[1]);
    else if (name !== null && CLASSES[upper] !== undefined) klass = CLASSES[upper] as number;
    else if (name === null) name = word.replace(/\.$/, '');
    else throw new UsageError(`'${word}' is neither a type nor a class nor +FLAG`);
  }
  for (const flag of flags) {
    if (!FLAGS.includes(flag)) throw new UsageError(`+${flag} is none of +${FLAGS.join(', +')}`);
  }
  return {
    server,
    name: name ?? '',
    type: name === null ? DnsType.NS : type,
    class: klass,
    short: flags.has('short'),
    tcp: flags.has('tcp') || flags.has('vc'),
    recurse: !flags.has('norecurse') && !flags.has('norec'),
    edns: !flags.has('noedns'),
    ms: (values.get('time') ?? SECONDS) * 1000,
    tries: values.get('tries') ?? TRIES,
  };
}

const FLAGS = ['short', 'tcp', 'vc', 'notcp', 'norecurse', 'norec', 'recurse', 'noedns', 'edns'];

function reverseOf(text: string): string {
  const address = parse(text);
  if (address === null) throw new UsageError(`-x: '${text}' is not an IP address`);
  return reverseName(address);
}

async function dig(client: ControlClient, words: string[], o: Options): Promise<number> {
  const q = questionOf(words, o.reverse);
  const port = o.port === undefined ? DNS_PORT : parsePort(o.port, '-p');
  const server = await serverOf(client, q.server);
  const query = queryOf(q);
  const from = performance.now();
  let isTcp = q.tcp;
  let octets = isTcp ? null : await overUdp(client, { server, port }, query, q);
  let message = octets === null ? null : decoded(octets);
  if (isTcp || message?.truncated === true) {
    if (!isTcp) process.stdout.write(';; Truncated, retrying in TCP mode.\n');
    isTcp = true;
    octets = await overTcp(client, { server, port }, query, q.ms);
    message = octets === null ? null : decoded(octets);
  }
  if (octets === null || message === null) {
    process.stdout.write(';; connection timed out; no servers could be reached\n');
    return NOBODY;
  }
  const ms = performance.now() - from;
  if (o.json === true) process.stdout.write(`${JSON.stringify(message)}\n`);
  else if (q.short) process.stdout.write(message.answers.map((r) => `${dataText(r)}\n`).join(''));
  else {
    const asked = words.join(' ') || '.';
    const when = new Date().toString().replace(/ \(.*\)$/, '');
    const shown = { asked, server, port, tcp: isTcp, ms, octets: octets.length, when };
    process.stdout.write(`${digText(message, shown).join('\n')}\n`);
  }
  return 0;
}

async function serverOf(client: ControlClient, typed: string | null): Promise<string> {
  if (typed === null) {
    const [first] = await client.ask<string[]>('dns-servers');
    if (first === undefined) throw new UsageError('the host has no name server: give @SERVER');
    return first.replace(/^\[(.*)\](:\d+)?$/, '$1');
  }
  if (isIP(typed) !== 0) return typed;
  const [found] = await addressesOf(client, typed);
  if (found === undefined) throw new UsageError(`@${typed}: no address`);
  return found.address;
}

function queryOf(q: Question): DnsMessage {
  const query = dnsQuery(randomInt(65_536), q.name, q.type, q.edns ? UDP_SIZE : 0);
  const questions = [{ name: q.name, type: q.type, class: q.class }];
  return { ...query, recursionDesired: q.recurse, questions };
}

function decoded(octets: Uint8Array): DnsMessage {
  const message = decodeDns(octets);
  if (typeof message === 'string') throw new Error(`the answer is no DNS message: ${message}`);
  return message;
}

interface Place {
  readonly server: string;
  readonly port: number;
}

/** The answer with our id, or null when all tries have stayed without one. */
async function overUdp(
  client: ControlClient,
  { server, port }: Place,
  query: DnsMessage,
  q: Question,
): Promise<Uint8Array | null> {
  const octets = encodeDns(query);
  const family = (parse(server) as Address).family;
  const address = family === 6 ? '::' : '0.0.0.0';
  for (let i = 0; i < Math.max(1, q.tries); i++) {
    const peer = { peer: server, peerPort: port };
    const { socket } = await client.open('udp', { address, ...peer });
    const answer = await new Promise<Uint8Array | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), q.ms);
      const done = (found: Uint8Array | null): void => {
        clearTimeout(timer);
        resolve(found);
      };
      readFrames(socket, ({ meta, data }) => {
        if (meta.error !== undefined) done(null);
        else if (data.length > 2 && data.readUInt16BE(0) === query.id) done(Buffer.from(data));
      });
      socket.on('end', () => done(null));
      socket.write(frameOf({}, octets));
    });
    socket.destroy();
    if (answer !== null) return answer;
  }
  return null;
}

/** RFC 1035 §4.2.2: two octets of length before each message. */
async function overTcp(
  client: ControlClient,
  { server, port }: Place,
  query: DnsMessage,
  ms: number,
): Promise<Uint8Array | null> {
  const octets = encodeDns(query);
  const { socket } = await client.open('connect', { host: server, port });
  const head = Buffer.alloc(2);
  head.writeUInt16BE(octets.length);
  socket.write(Buffer.concat([head, octets]));
  const answer = await new Promise<Uint8Array | null>((resolve) => {
    let got: Buffer = Buffer.alloc(0);
    socket.setTimeout(ms, () => resolve(null));
    socket.on('error', () => resolve(null));
    socket.on('end', () => resolve(null));
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      if (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) return;
      resolve(got.subarray(2, 2 + got.readUInt16BE(0)));
    });
    socket.resume();
  });
  socket.destroy();
  return answer;
}
