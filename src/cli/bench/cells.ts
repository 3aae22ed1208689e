// What `portside bench` measures: one row a load, with the far end's port and who serves it.

import type { LoadOptions } from '../../node/addon.ts';
import { CHARGEN_PORT } from '../../services/chargen.ts';
import { DISCARD_PORT } from '../../services/discard.ts';
import { ECHO_PORT } from '../../services/echo.ts';
import { HTTP_PORT } from '../http.ts';
import { COUNT_PORT, SOURCE_PORT } from './datagrams.ts';
import type { Via } from './serve.ts';

export interface Cell {
  readonly name: string;
  readonly what: string;
  /** Octets count (Gbit/s), or operations (thousands a second). */
  readonly unit: 'Gbit/s' | 'k/s';
  readonly mode: LoadOptions['mode'];
  readonly port: number;
  readonly connections: number;
  /** Who has a server for it besides Node on the kernel. */
  readonly vias: readonly Via[];
}

const BOTH: readonly Via[] = ['core', 'net'];

function bulk(name: string, what: string, connections: number): Cell {
  const isIn = name.startsWith('in');
  const port = isIn ? DISCARD_PORT : CHARGEN_PORT;
  const mode = isIn ? 'send' : 'recv';
  return { name, what, unit: 'Gbit/s', mode, port, connections, vias: BOTH };
}

function requests(name: string, what: string, mode: Cell['mode'], connections: number): Cell {
  const isHttp = mode === 'http';
  const port = isHttp ? HTTP_PORT : ECHO_PORT;
  return { name, what, unit: 'k/s', mode, port, connections, vias: isHttp ? ['net'] : BOTH };
}

function datagrams(name: string, what: string, mode: Cell['mode'], port: number): Cell {
  return { name, what, unit: 'k/s', mode, port, connections: 64, vias: BOTH };
}

export const CELLS: readonly Cell[] = [
  bulk('in', 'bulk TCP, kernel to the stack, 1 connection', 1),
  bulk('out', 'bulk TCP, the stack to the kernel, 1 connection', 1),
  bulk('in8', 'bulk TCP, kernel to the stack, 8 connections', 8),
  bulk('out8', 'bulk TCP, the stack to the kernel, 8 connections', 8),
  requests('rr1', '64-octet request and answer, 1 connection', 'rr', 1),
  requests('rr64', '64-octet request and answer, 64 connections', 'rr', 64),
  requests('http', 'HTTP/1.1 keep-alive, 64 connections', 'http', 64),
  requests('crr', 'connect, one octet each way, close; 16 at a time', 'crr', 16),
  datagrams('udp', '64-octet datagrams, echoed, 64 under way', 'udp-echo', ECHO_PORT),
  datagrams('udp-in', '64-octet datagrams, kernel to the stack', 'udp-in', COUNT_PORT),
  datagrams('udp-out', '64-octet datagrams, the stack to the kernel', 'udp-out', SOURCE_PORT),
];
