// Where a capture goes: standard output, one file, or a ring of files, each of which begins with
// the section and the interfaces and can be read alone. Names are tcpdump's: FILE, FILE1, … or,
// with a count of files, FILE00, FILE01, … over and over.

import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { PcapngWriter } from '../link/capture.ts';

export interface RingOptions {
  /** Octets after which the next file begins; 0: never. */
  readonly size: number;
  /** Files of the ring; 0: as many as come. */
  readonly files: number;
}

export class CaptureFiles {
  readonly #path: string;
  readonly #o: RingOptions;
  /** What every file begins with. */
  #head: Uint8Array[] = [];
  #fd = -1;
  #written = 0;
  #index = 0;

  /** @param path `-`: standard output. Throws Node's error of opening it. */
  constructor(path: string, o: RingOptions) {
    this.#path = path;
    this.#o = o;
    this.#open();
  }

  #name(): string {
    const { files } = this.#o;
    if (files === 0) return this.#index === 0 ? this.#path : `${this.#path}${this.#index}`;
    const width = String(files - 1).length;
    return `${this.#path}${String(this.#index % files).padStart(width, '0')}`;
  }

  #open(): void {
    if (this.#fd > 2) closeSync(this.#fd);
    // readable by others only if the umask says so; what was sent may be private
    this.#fd = this.#path === '-' ? 1 : openSync(this.#name(), 'w', 0o600);
    this.#written = 0;
    for (const block of this.#head) this.#put(block);
  }

  #put(octets: Uint8Array): void {
    this.#written += octets.length;
    for (let at = 0; at < octets.length; ) {
      try {
        at += writeSync(this.#fd, octets, at);
      } catch (error) {
        // a pipe that is full: its reader is slower than we are
        if ((error as { code?: string }).code !== 'EAGAIN') throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  }

  /** A block of the capture. @param head what every file has to begin with */
  write(octets: Uint8Array, head: boolean): void {
    if (head) this.#head.push(octets);
    const { size } = this.#o;
    if (!head && size > 0 && this.#path !== '-' && this.#written + octets.length > size) {
      this.#index++;
      this.#open();
    }
    this.#put(octets);
  }

  close(): void {
    if (this.#fd > 2) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** A TLS key log that grows while programs run: its new lines, as a block of the capture. */
export class KeyLog {
  readonly #path: string;
  #size = 0;

  /** @param path as NSS and `node --tls-keylog=FILE` write it */
  constructor(path: string) {
    this.#path = path;
  }

  /** A Decryption Secrets Block with the lines that have come; null: none. */
  news(): Uint8Array | null {
    const size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= this.#size) return null;
    const lines = readFileSync(this.#path).subarray(this.#size).toString('latin1');
    const whole = lines.slice(0, lines.lastIndexOf('\n') + 1);
    if (whole === '') return null;
    this.#size += whole.length;
    let block = new Uint8Array(0);
    const writer = new PcapngWriter((chunk) => {
      block = new Uint8Array(chunk);
    });
    writer.secrets(whole);
    return block;
  }
}
