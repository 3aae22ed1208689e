// epoll of a script: epoll_create, epoll_ctl, epoll_wait over the readiness of StreamSockets, with
// edges (EPOLLET) and EPOLLONESHOT as epoll(7) has them.

import { NotHere } from './cursor.ts';

export const EpollBit = { EPOLLET: 0x8000_0000, EPOLLONESHOT: 0x4000_0000 } as const;
const ALWAYS = 0x18; // EPOLLERR | EPOLLHUP
const IN = 1;

interface Watch {
  wanted: number;
  /** Bits that have been told and have not gone since: an edge is what is not among them. */
  told: number;
  /** Octets that had come when it was told: more of them are a new edge. */
  octets: number;
}

/** What a descriptor is ready for, and how many octets have come in all. */
export interface Readiness {
  readonly bits: number;
  readonly octets: number;
}

export class Epoll {
  readonly #watches = new Map<number, Watch>();

  /** Answers false when there is nothing to change, as epoll_ctl's ENOENT. */
  control(op: number, fd: number, events: number): boolean {
    if (op === 2) return this.#watches.delete(fd);
    if (op === 3 && !this.#watches.has(fd)) return false;
    if (op !== 1 && op !== 3) throw new NotHere(`epoll_ctl ${op}`);
    this.#watches.set(fd, { wanted: events >>> 0, told: 0, octets: 0 });
    return true;
  }

  /** The first descriptor that has something to tell; null: none. */
  next(ready: (fd: number) => Readiness): { readonly fd: number; readonly events: number } | null {
    let found: { fd: number; events: number } | null = null;
    for (const [fd, watch] of this.#watches) {
      if (watch.wanted === 0) continue;
      const now = ready(fd);
      const bits = now.bits & (watch.wanted | ALWAYS);
      if (now.octets > watch.octets) watch.told &= ~IN;
      const edge = (watch.wanted & EpollBit.EPOLLET) !== 0;
      const news = edge ? bits & ~watch.told : bits;
      watch.told &= bits;
      if (news === 0 || found !== null) continue;
      watch.told = bits;
      watch.octets = now.octets;
      if ((watch.wanted & EpollBit.EPOLLONESHOT) !== 0) watch.wanted = 0;
      found = { fd, events: bits };
    }
    return found;
  }

  /** Looks without telling: a readiness that goes and comes back between two waits is a new edge. */
  observe(ready: (fd: number) => Readiness): void {
    for (const [fd, watch] of this.#watches) watch.told &= ready(fd).bits;
  }
}
