// What a connection holds only while something is on its way: a queue of what the program wrote and
// the heads of the scoreboard. An idle connection has neither; they are lent by the layer and come
// back, grown columns and all, with the last acknowledgment. A request and its answer allocate
// nothing.
// @hot

import { NIL, NO_BOARD, Scoreboard } from './scoreboard.ts';
import { NO_QUEUE, SendQueue } from './send-queue.ts';
import type { Tcb } from './tcb.ts';

/** Chunks that the queues kept for later may be wide, all together: 28 octets each. */
const KEEP_CHUNKS = 65_536;
const KEEP_BOARDS = 4096;

export class Lender {
  readonly #queues: SendQueue[] = [];
  readonly #boards: Scoreboard[] = [];
  #chunks = 0;

  queue(): SendQueue {
    const queue = this.#queues.pop();
    if (queue === undefined) return grownQueue();
    this.#chunks -= queue.width;
    return queue;
  }

  board(): Scoreboard {
    return this.#boards.pop() ?? grownBoard();
  }

  /** @param queue without chunks */
  takeQueue(queue: SendQueue): void {
    if (this.#chunks + queue.width > KEEP_CHUNKS) return;
    this.#chunks += queue.width;
    this.#queues.push(queue);
  }

  /** @param board without records */
  takeBoard(board: Scoreboard): void {
    board.hint = NIL;
    if (this.#boards.length < KEEP_BOARDS) this.#boards.push(board);
  }
}

/** The queue to add to. */
export function queueOf(t: Tcb): SendQueue {
  if (t.queue === NO_QUEUE) t.queue = t.layer.lender.queue();
  return t.queue;
}

/** The scoreboard to append to. */
export function boardOf(t: Tcb): Scoreboard {
  if (t.board === NO_BOARD) t.board = t.layer.lender.board();
  return t.board;
}

/** Something has been acknowledged or dropped: what is empty goes back. */
export function giveBack(t: Tcb): void {
  if (t.queue !== NO_QUEUE && t.queue.chunks === 0) {
    t.layer.lender.takeQueue(t.queue);
    t.queue = NO_QUEUE;
  }
  if (t.board !== NO_BOARD && t.board.records === 0) {
    t.layer.lender.takeBoard(t.board);
    t.board = NO_BOARD;
  }
}

function grownQueue(): SendQueue {
  return new SendQueue();
}

function grownBoard(): Scoreboard {
  return new Scoreboard();
}
