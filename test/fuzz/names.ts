// Calls of the sequence fuzzer that name things: addresses in text, right and nearly right, and
// groups with every kind of name for their link.

import { parse, parsePrefix } from '../../src/wire/address.ts';
import { Behaviour, type Machine } from './program.ts';

/** Texts that are addresses, and texts that nearly are. */
const TEXTS = [
  '1.2.3',
  '1.2.3.4.5',
  '01.2.3.4',
  '1.2.3.256',
  '1..2.3',
  '::1::',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7::',
  'fe80::1%',
  'fe80::1%9',
  '::ffff:1.2.3',
  '12345::',
  ':1::2',
  '1:2:3:4:5:6:1.2.3.4',
  '::g',
  '1:2:3:4:5:6:7:',
  '',
  '2001:0DB8:0:0:0:0:0:ABCD',
  '1:2:3:4:5:6:7:1.2.3.4',
  '%1',
] as const;
export const PREFIXES = [
  '10.9.0.0/16',
  '::/0',
  '0.0.0.0/0',
  '2001:db9::/32',
  '10.9.1.0/24',
  '10.9/33',
  '2001:db9::/129',
  'x/1',
] as const;
/** Addresses in words that people and programs write. */
export function texts(m: Machine): void {
  const { r } = m;
  const { stack, linkId } = m.rig;
  const text = TEXTS[r.arg(0) % TEXTS.length] as string;
  parse(text);
  parsePrefix(`${text}/${r.arg(1)}`);
  parsePrefix(PREFIXES[r.arg(1) & 7] as string);
  parsePrefix(text);
  m.guard(() => stack.addRoute(text, r.arg(1), { link: linkId, gateway: '192.0.2.7' }));
  m.guard(() => stack.addRoute('10.0.0.0', 8, { link: r.arg(1) & 7, gateway: '2001:db8::7' }));
  const told = { address: text, port: 80, handler: new Behaviour(m, 0) };
  m.guard(() => m.keep(stack.connect(told)));
  m.guard(() => stack.udp({ address: text, handler: { ...NOBODY } }).close());
}

const NOBODY = { datagram: () => {}, error: () => {}, writable: () => {} };

/** Groups by every kind of name for the link, and the two switches. */
export function groups(m: Machine): void {
  const { r } = m;
  const s = m.udps[r.arg(0) % Math.max(1, m.udps.length)];
  if (s === undefined) return;
  const six = r.arg(3) < 128;
  const g = six ? ['ff02::5', 'ff15::1', 'ff02::5%fuzz0'][r.arg(2) % 3] : '239.1.1.1';
  const group = g as string;
  const source = six ? '2001:db8::9' : '192.0.2.9';
  const on = ['fuzz0', 'lo', '1', '2', 0, 1, 5, '192.0.2.1', '2001:db8::1', '10.9.1.5', undefined];
  const link = on[r.arg(4) % on.length];
  const calls = [
    () => s.groups.join(group, link),
    () => s.groups.leave(group, link),
    () => s.groups.joinSource(group, source, link),
    () => s.groups.leaveSource(group, source, link),
    () => s.groups.blockSource(group, source, link),
    () => s.groups.unblockSource(group, source, link),
    () => s.groups.setInterface(link ?? null),
    () => s.groups.setAll(r.arg(5) < 128),
    () => s.groups.setLoop(r.arg(5) < 128),
    () => s.groups.setTtl(r.arg(5)),
    () => s.groups.join('192.0.2.9', link),
  ];
  calls[r.arg(1) % calls.length]?.();
}
