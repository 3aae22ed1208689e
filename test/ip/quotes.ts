// ICMP errors about a TCP segment of ours.

import { type Ip4, icmpMessage, ip4 } from './fixture.ts';

export const ours = (p: Ip4 = {}): Uint8Array =>
  ip4({
    src: '10.0.0.2',
    dst: '192.0.2.80',
    proto: 6,
    payload: [0x9c, 0x40, 0, 80, 0xfe, 0xdc, 0xba, 0x98, ...new Array<number>(32).fill(0)],
    ...p,
  });

export const errorAbout = (
  quote: Uint8Array,
  type = 3,
  code = 1,
  rest = [0, 0, 0, 0],
  p: Ip4 = {},
): Uint8Array =>
  ip4({ src: '10.0.0.1', ...p, proto: 1, payload: icmpMessage(type, code, rest, quote) });
