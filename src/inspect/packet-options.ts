// TCP's options as fields: kind, what they say, and where they are defined.

import type { FieldNode } from './packets.ts';

function u32(b: Uint8Array, at: number): number {
  const word = (b[at] ?? 0) * 0x1000000 + ((b[at + 1] ?? 0) << 16);
  return word + ((b[at + 2] ?? 0) << 8) + (b[at + 3] ?? 0);
}

function sackText(b: Uint8Array, at: number, len: number): string {
  const blocks: string[] = [];
  for (let i = at + 2; i + 8 <= at + len; i += 8) blocks.push(`${u32(b, i)}–${u32(b, i + 4)}`);
  return blocks.join(' ');
}

function optionNode(b: Uint8Array, at: number, kind: number, len: number): FieldNode {
  const make = (name: string, value: string, rfc: string): FieldNode => {
    return { name, value, off: at, len, rfc };
  };
  switch (kind) {
    case 2:
      return make('Maximum segment size', String(u32(b, at + 2) >>> 16), 'RFC 9293 §3.7.1');
    case 3:
      return make('Window scale', `× ${2 ** (b[at + 2] ?? 0)} (${b[at + 2]})`, 'RFC 7323 §2');
    case 4:
      return make('SACK permitted', '', 'RFC 2018 §2');
    case 5:
      return make('SACK', sackText(b, at, len), 'RFC 2018 §3');
    case 8: {
      const value = `${u32(b, at + 2)}, echo ${u32(b, at + 6)}`;
      return make('Timestamps', value, 'RFC 7323 §3');
    }
    case 34:
      return make('Fast Open cookie', `${len - 2} octets`, 'RFC 7413 §4.1.1');
    default:
      return make(`Option ${kind}`, `${len - 2} octets`, 'RFC 9293 MUST-6');
  }
}

/** The options in [from, end). What is not whole ends the list. */
export function tcpOptions(b: Uint8Array, from: number, end: number): FieldNode[] {
  const list: FieldNode[] = [];
  for (let at = from; at < end; ) {
    const kind = b[at] as number;
    if (kind === 0) {
      list.push({
        name: 'End of options',
        value: '',
        off: at,
        len: end - at,
        rfc: 'RFC 9293 §3.2',
      });
      break;
    }
    if (kind === 1) {
      list.push({ name: 'No operation', value: '', off: at, len: 1, rfc: 'RFC 9293 §3.2' });
      at++;
      continue;
    }
    const len = b[at + 1] ?? 0;
    if (len < 2 || at + len > end) break;
    list.push(optionNode(b, at, kind, len));
    at += len;
  }
  return list;
}
