// A captured packet as a line, as tcpdump prints it: time, interface, direction, the packet, and
// behind it what the capture says of it.

import { print } from '../wire/print.ts';
import type { ReadPacket } from './pcapng-read.ts';

const LINKTYPE_RAW = 101;
const DAY_S = 86_400;

function two(n: number): string {
  return String(n).padStart(2, '0');
}

/** `12:04:31.204117`, UTC. */
export function clockText(atUs: number): string {
  const seconds = Math.floor(atUs / 1e6);
  const day = seconds % DAY_S;
  const us = String(Math.floor(atUs - seconds * 1e6)).padStart(6, '0');
  return `${two(Math.floor(day / 3600))}:${two(Math.floor(day / 60) % 60)}:${two(day % 60)}.${us}`;
}

export function packetText(p: ReadPacket): string {
  const way = p.direction === 1 ? 'In ' : p.direction === 2 ? 'Out' : '?  ';
  const what =
    p.interface.linkType === LINKTYPE_RAW
      ? print(p.octets, 0, p.octets.length)
      : `link type ${p.interface.linkType}, length ${p.length}`;
  const comment = p.comment === '' ? '' : `  ; ${p.comment}`;
  return `${clockText(p.atUs)} ${p.interface.name} ${way} ${what}${comment}`;
}
