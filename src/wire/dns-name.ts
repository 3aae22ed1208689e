// Domain names on the wire and as text (RFC 1035 §3.1, §4.1.4, §5.1; RFC 4343). A name from the
// network is read with a bound on its length and its steps: RFC 9267 lists what goes wrong without.

/** RFC 1035 §2.3.4: octets of a name on the wire, of a label. */
export const LONGEST_NAME = 255;
export const LONGEST_LABEL = 63;
/** A label costs two octets at least, so a name of 255 has at most 127 and as many pointers. */
const MOST_POINTERS = 127;
/** What master files escape (RFC 1035 §5.1). */
const SPECIAL = '".;\\()@$';

/** Wire form of a name that people write; null when it is none. A last dot may be there. */
export function nameToWire(text: string): Uint8Array | null {
  if (text === '' || text === '.') return new Uint8Array(1);
  if (text.length > 4 * LONGEST_NAME) return null;
  const out = new Uint8Array(LONGEST_NAME);
  let lengthAt = 0;
  let at = 1;
  for (let i = 0; i < text.length; i++) {
    let octet = text.charCodeAt(i);
    if (octet === 0x2e) {
      if (at - lengthAt === 1) return null;
      out[lengthAt] = at - lengthAt - 1;
      lengthAt = at++;
      continue;
    }
    if (octet < 0x20 || octet > 0x7e) return null;
    if (octet === 0x5c) {
      const digits = /^[0-9]{3}/.exec(text.slice(i + 1, i + 4))?.[0];
      octet = digits === undefined ? text.charCodeAt(i + 1) : Number(digits);
      i += digits === undefined ? 1 : 3;
      // NaN at the end of the text
      if (!(octet <= (digits === undefined ? 0x7e : 255))) return null;
    }
    if (at - lengthAt > LONGEST_LABEL || at >= LONGEST_NAME) return null;
    out[at++] = octet;
  }
  const last = at - lengthAt - 1;
  out[lengthAt] = last;
  // After a last dot the empty label of the root is already there.
  if (last > 0) at++;
  return at > LONGEST_NAME ? null : out.slice(0, at);
}

/** One label as text. */
export function labelText(u8: Uint8Array, off: number, len: number): string {
  let text = '';
  for (let i = off; i < off + len; i++) {
    const octet = u8[i] as number;
    if (octet < 0x21 || octet > 0x7e) text += `\\${String(octet).padStart(3, '0')}`;
    else {
      const char = String.fromCharCode(octet);
      text += SPECIAL.includes(char) ? `\\${char}` : char;
    }
  }
  return text;
}

/** RFC 4343: names compare without regard to ASCII case. */
export function sameName(x: string, y: string): boolean {
  return x.length === y.length && x.toLowerCase() === y.toLowerCase();
}

export type NameFault = 'NAME_OVERRUN' | 'LABEL_TYPE' | 'POINTER' | 'NAME_LONG';

/** What `readName` has found; one is reused for all names of a message. */
export class NameReader {
  /** The name, or null: then `fault` says why. */
  text: string | null = null;
  fault: NameFault = 'NAME_OVERRUN';
  /** Offset behind the name where it began, not where its pointers led. */
  end = 0;
  /** Labels and pointers looked at since this reader was made. */
  steps = 0;
}

/**
 * Reads the name at `at` of the message `u8[base … end)`. What stands in place must end before
 * `limit` (the record's data). RFC 9267 §2: a pointer leads to before the labels that led to it,
 * never into the header, never forwards or to itself.
 */
export function readName(
  reader: NameReader,
  u8: Uint8Array,
  [base, end]: readonly [number, number],
  at: number,
  limit: number,
): boolean {
  reader.text = null;
  let text = '';
  let octets = 1;
  let pointers = 0;
  /** Where the labels began that are being read. */
  let from = at;
  let stop = limit;
  for (;;) {
    if (at >= stop) return fail(reader, 'NAME_OVERRUN');
    reader.steps++;
    const length = u8[at] as number;
    if (length === 0) {
      if (pointers === 0) reader.end = at + 1;
      reader.text = text;
      return true;
    }
    if (length >= 0xc0) {
      if (at + 2 > stop) return fail(reader, 'NAME_OVERRUN');
      const target = base + (((length & 0x3f) << 8) | (u8[at + 1] as number));
      if (target >= from || target < base + 12) return fail(reader, 'POINTER');
      if (pointers === 0) reader.end = at + 2;
      if (++pointers > MOST_POINTERS) return fail(reader, 'POINTER');
      at = from = target;
      stop = end;
      continue;
    }
    if (length > LONGEST_LABEL) return fail(reader, 'LABEL_TYPE');
    if (at + 1 + length > stop) return fail(reader, 'NAME_OVERRUN');
    octets += 1 + length;
    if (octets > LONGEST_NAME) return fail(reader, 'NAME_LONG');
    text += (text === '' ? '' : '.') + labelText(u8, at + 1, length);
    at += 1 + length;
  }
}

function fail(reader: NameReader, fault: NameFault): boolean {
  reader.fault = fault;
  return false;
}
