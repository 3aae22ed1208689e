// The Range field of a request (RFC 9110 §14): one range of octets, or the whole.

export interface Range {
  readonly from: number;
  /** One past the last octet. */
  readonly to: number;
  readonly partial: boolean;
}

/**
 * `bytes=0-99`, `bytes=100-`, `bytes=-50` of a content of `size` octets. What is not understood,
 * and several ranges at once, ask for the whole, as RFC 9110 §14.2 lets a server choose.
 */
export function parseRange(field: string | undefined, size: number): Range | 'unsatisfiable' {
  const whole: Range = { from: 0, to: size, partial: false };
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec((field ?? '').trim());
  if (match === null) return whole;
  const first = match[1] as string;
  const last = match[2] as string;
  if (first === '' && last === '') return whole;
  if (first === '') {
    const n = Math.min(Number(last), size);
    return n === 0 ? 'unsatisfiable' : { from: size - n, to: size, partial: true };
  }
  const from = Number(first);
  const to = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < from) return whole;
  if (from >= size) return 'unsatisfiable';
  return { from, to, partial: true };
}
