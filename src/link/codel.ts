// Controlled delay (RFC 8289): when packets have waited longer than the target for a whole
// interval, one is marked (or dropped), and then more and more often until the wait is short again.
// Here the wait is known when a packet joins the queue, so that is where the verdict falls.

export interface CoDelOptions {
  /** RFC 8289 §4.2: 5 ms. */
  targetUs?: number;
  /** RFC 8289 §4.2: 100 ms. */
  intervalUs?: number;
}

export class CoDel {
  readonly #targetUs: number;
  readonly #intervalUs: number;
  #aboveUntilUs = 0;
  #acting = false;
  #nextUs = 0;
  #count = 0;

  constructor(options: CoDelOptions) {
    this.#targetUs = options.targetUs ?? 5_000;
    this.#intervalUs = options.intervalUs ?? 100_000;
  }

  /** Whether the packet that has to wait so long is to be marked or dropped. */
  hits(waitUs: number, nowUs: number): boolean {
    if (waitUs < this.#targetUs) {
      this.#aboveUntilUs = 0;
      this.#acting = false;
      return false;
    }
    if (this.#aboveUntilUs === 0) {
      this.#aboveUntilUs = nowUs + this.#intervalUs;
      return false;
    }
    if (this.#acting) {
      if (nowUs < this.#nextUs) return false;
      this.#count++;
      this.#nextUs += this.#intervalUs / Math.sqrt(this.#count);
      return true;
    }
    if (nowUs < this.#aboveUntilUs) return false;
    this.#acting = true;
    // RFC 8289 §5.4: soon after the last time, the rate is taken up where it was
    const recently = nowUs - this.#nextUs < 16 * this.#intervalUs;
    this.#count = recently && this.#count > 2 ? this.#count - 2 : 1;
    this.#nextUs = nowUs + this.#intervalUs / Math.sqrt(this.#count);
    return true;
  }
}
