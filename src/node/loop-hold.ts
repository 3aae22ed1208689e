// What a connection means to the event loop: what libuv's active handles mean, and nothing more. A
// socket that connects, reads or has writes under way keeps the process alive; one that is paused
// or whose peer has ended does not, though it is open. One thing is added, because our send buffer
// ends with the process and the kernel's does not: octets and a FIN that the peer has not
// acknowledged hold the loop too, for a bounded time.

import type { TcpSocket } from '../socket/tcp-socket.ts';
import { State } from '../tcp/state.ts';
import type { Ground, Orphan } from './ground.ts';

/** What is asked of an edge. */
interface Holder {
  readonly ground: Ground;
  readonly handle: TcpSocket | null;
  readonly active: boolean;
  /** A lookup of the host's, or a handshake. */
  readonly connecting: boolean;
  readonly over: boolean;
  readonly ended: boolean;
  readonly reading: boolean;
  readonly owing: boolean;
}

export class LoopHold implements Orphan {
  readonly #of: Holder;
  #refed = true;
  #held = false;
  /** A FIN has been asked for. */
  #finishing = false;
  /** Runs while only unacknowledged octets hold the loop. */
  #linger: (() => void) | null = null;

  constructor(of: Holder) {
    this.#of = of;
  }

  get refed(): boolean {
    return this.#refed;
  }

  ref(on: boolean): void {
    this.#refed = on;
    this.apply();
  }

  /** A new connection. */
  begin(): void {
    this.#finishing = false;
  }

  /** The handle has been asked for its FIN. */
  finish(): void {
    this.#finishing = true;
    this.apply();
  }

  /** To be called whenever what it decides by may have changed. */
  apply(): void {
    const isBusy = this.#refed && this.#isBusy();
    if (isBusy || (this.#refed && this.#isUnderWay())) {
      if (!this.#held) {
        this.#held = true;
        this.#of.ground.driver.hold();
      }
      if (isBusy) this.#stopLinger();
      else if (this.#linger === null) this.#startLinger();
      return;
    }
    this.#drop();
  }

  /** Asked after every turn while it lingers. */
  relaxed(): boolean {
    if (this.#linger === null) return true;
    this.apply();
    return this.#linger === null;
  }

  #isBusy(): boolean {
    const of = this.#of;
    if (!of.active) return false;
    if (of.connecting) return true;
    return !of.over && ((of.reading && !of.ended) || of.owing);
  }

  #isUnderWay(): boolean {
    const { handle, over } = this.#of;
    if (handle === null || over) return false;
    if (handle.queued > 0) return true;
    if (!this.#finishing) return false;
    const { state } = handle;
    const isDone = state === State.FIN_WAIT_2 || state === State.TIME_WAIT;
    return !isDone && state !== State.CLOSED;
  }

  #startLinger(): void {
    const { ground } = this.#of;
    const { clock } = ground.driver;
    this.#linger = clock.after(ground.lingerMs * 1000, () => this.#drop());
    ground.linger(this);
  }

  #stopLinger(): void {
    if (this.#linger !== null) this.#linger();
    this.#linger = null;
  }

  #drop(): void {
    this.#stopLinger();
    if (!this.#held) return;
    this.#held = false;
    this.#of.ground.driver.release();
  }
}
