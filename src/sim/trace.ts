// The trace of a run as one number: every packet and event with its time goes through FNV-1a in two
// lanes. Two runs of one seed must give the same hash; lines are kept only when somebody wants
// them.

const PRIME = 0x01000193;

function wordAt(u8: Uint8Array, i: number): number {
  return (
    (u8[i] as number) |
    ((u8[i + 1] as number) << 8) |
    ((u8[i + 2] as number) << 16) |
    ((u8[i + 3] as number) << 24)
  );
}

export class Trace {
  #a = 0x811c9dc5 | 0;
  #b = 0x01234567;
  /** Packets and events seen. */
  count = 0;
  /** The last lines, when `keep` is over 0. */
  readonly lines: string[] = [];
  readonly keep: number;

  /** @param keep how many lines to keep */
  constructor(keep = 0) {
    this.keep = keep;
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');
    return hex(this.#a) + hex(this.#b);
  }

  number(n: number): void {
    const low = n | 0;
    const high = Math.floor(n / 0x1_0000_0000) | 0;
    this.#a = Math.imul(this.#a ^ low, PRIME);
    this.#b = Math.imul(this.#b ^ high ^ (this.#a >>> 15), PRIME);
    this.#a = Math.imul(this.#a ^ (low >>> 16) ^ (this.#b >>> 13), PRIME);
  }

  octets(u8: Uint8Array): void {
    let a = this.#a;
    let b = this.#b;
    const pairs = u8.length >>> 3;
    // Two words at a time in two lanes that do not wait for one another.
    if ((u8.byteOffset & 3) === 0 && pairs >= 16) {
      const words = new Int32Array(u8.buffer, u8.byteOffset, pairs * 2);
      for (let i = 0; i < words.length; i += 2) {
        a = Math.imul(a ^ (words[i] as number), PRIME);
        b = Math.imul(b ^ (words[i + 1] as number), PRIME);
      }
    } else {
      for (let i = 0; i < pairs * 8; i += 8) {
        a = Math.imul(a ^ wordAt(u8, i), PRIME);
        b = Math.imul(b ^ wordAt(u8, i + 4), PRIME);
      }
    }
    for (let i = pairs * 8; i < u8.length; i++) a = Math.imul(a ^ (u8[i] as number), PRIME);
    this.#a = a ^ (b >>> 16);
    this.#b = b ^ (a >>> 16) ^ u8.length;
  }

  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.#a = Math.imul(this.#a ^ text.charCodeAt(i), PRIME);
    this.#b ^= this.#a >>> 7;
  }

  /** Counts one event; `describe` is called only when lines are kept. */
  event(nowUs: number, what: string, describe: () => string): void {
    this.count++;
    this.number(nowUs);
    this.text(what);
    if (this.keep === 0) return;
    if (this.lines.length >= this.keep * 2) this.lines.splice(0, this.keep);
    this.lines.push(`${(nowUs / 1e6).toFixed(6)} ${what} ${describe()}`);
  }
}
