// Finding the connection of a segment: the keyed open-addressing table against a Map whose key is a
// string, with ten, ten thousand and a million connections; and finding who listens on a port.

import { SeededRandom } from '../../src/base/random.ts';
import { FlowTable } from '../../src/demux/flow-table.ts';
import { Ports } from '../../src/demux/ports.ts';
import { type Case, kept, type Suite } from '../suite.ts';

const SIZES: readonly [number, string][] = [
  [10, '10'],
  [10_000, '10 k'],
  [1_000_000, '1 M'],
];
const MAPPED = 0x0000ffff;
const LOCAL = 0xc6120002 | 0;
/** Lookups of one call, of flows picked at random: the caches get no help from the order. */
const LOOKUPS = 16_384;

/** Flow `i`: remote address and ports. */
function remoteOf(i: number): number {
  return (0x0a000000 + Math.floor(i / 50_000)) | 0;
}
function portsOf(i: number): number {
  return (80 << 16) | (1024 + (i % 50_000));
}

function picks(n: number): Int32Array {
  const random = new SeededRandom(7);
  return Int32Array.from({ length: LOOKUPS }, () => (random.next() >>> 0) % n);
}

function table(n: number): () => void {
  const flows = new FlowTable(new SeededRandom(3), n);
  const key = new Int32Array([0, 0, MAPPED, LOCAL, 0, 0, MAPPED, 0, 0]);
  for (let i = 0; i < n; i++) {
    key[7] = remoteOf(i);
    key[8] = portsOf(i);
    flows.insert(key, 0, i);
  }
  const order = picks(n);
  return () => {
    let s = 0;
    for (let k = 0; k < LOOKUPS; k++) {
      const i = order[k] as number;
      s += flows.find4(LOCAL, remoteOf(i), portsOf(i));
    }
    kept[0] = s;
  };
}

function text(local: number, remote: number, ports: number): string {
  return `${local}:${ports >>> 16}-${remote}:${ports & 0xffff}`;
}

function map(n: number): () => void {
  const flows = new Map<string, number>();
  for (let i = 0; i < n; i++) flows.set(text(LOCAL, remoteOf(i), portsOf(i)), i);
  const order = picks(n);
  return () => {
    let s = 0;
    for (let k = 0; k < LOOKUPS; k++) {
      const i = order[k] as number;
      s += flows.get(text(LOCAL, remoteOf(i), portsOf(i))) as number;
    }
    kept[0] = s;
  };
}

/** A SYN flood, a scan: nothing is found. */
function strangers(n: number): () => void {
  const flows = new FlowTable(new SeededRandom(3), n);
  const key = new Int32Array([0, 0, MAPPED, LOCAL, 0, 0, MAPPED, 0, 0]);
  for (let i = 0; i < n; i++) {
    key[7] = remoteOf(i);
    key[8] = portsOf(i);
    flows.insert(key, 0, i);
  }
  return () => {
    let s = 0;
    for (let k = 0; k < LOOKUPS; k++) s += flows.find4(LOCAL, 0x0b000000 + k, k);
    kept[0] = s;
  };
}

export const flows: Suite = {
  name: 'flows',
  question: 'what does it cost to find a connection among many?',
  cases: SIZES.flatMap(([n, count]): Case[] => [
    { name: `FlowTable, ${count} connections`, ops: LOOKUPS, prepare: () => table(n) },
    { name: `FlowTable, ${count}, not there`, ops: LOOKUPS, prepare: () => strangers(n) },
    { name: `Map of strings, ${count}`, ops: LOOKUPS, prepare: () => map(n), rejected: true },
  ]),
};

const LISTENERS = 64;

function listening(): { ports: Ports; words: (i: number) => number } {
  const ports = new Ports();
  for (let i = 0; i < LISTENERS; i++) {
    const any = i % 2 === 0;
    const c = any ? 0 : MAPPED;
    const d = any ? 0 : LOCAL;
    ports.bind({ port: 1000 + i, a: 0, b: 0, c, d, v6Only: false, share: false, slot: i });
  }
  return { ports, words: (i) => 1000 + (i % LISTENERS) };
}

function bound(): () => void {
  const { ports, words } = listening();
  return () => {
    let s = 0;
    for (let k = 0; k < LOOKUPS; k++) s += ports.find(words(k), 0, 0, MAPPED, LOCAL);
    kept[0] = s;
  };
}

function boundByText(): () => void {
  const held = new Map<string, number>();
  for (let i = 0; i < LISTENERS; i++) {
    held.set(`${i % 2 === 0 ? '*' : LOCAL}:${1000 + i}`, i);
  }
  return () => {
    let s = 0;
    for (let k = 0; k < LOOKUPS; k++) {
      const port = 1000 + (k % LISTENERS);
      s += held.get(`${LOCAL}:${port}`) ?? held.get(`*:${port}`) ?? -1;
    }
    kept[0] = s;
  };
}

export const ports: Suite = {
  name: 'ports',
  question: 'who listens on this address and port: half of 64 bindings are wildcards',
  cases: [
    { name: 'Ports.find', ops: LOOKUPS, prepare: bound },
    { name: 'Map of strings', ops: LOOKUPS, prepare: boundByText, rejected: true },
  ],
};
