// A connection to a host's control socket over which its events come, for as long as somebody
// looks.

import type { EventRow as StackEvent } from '../inspect/event-rows.ts';
import type { ControlClient } from '../node/control-client.ts';

interface Line {
  at: number;
  lost: number;
  events: StackEvent[];
}

export interface Clocks {
  nowUs: number;
  /** Wall clock at the stack's zero, µs. */
  epochUs: number;
}

export class Watcher {
  readonly #open: () => Promise<ControlClient>;
  readonly #take: (atUs: number, rows: StackEvent[], lost: number) => void;
  #client: ControlClient | null = null;
  #turn = 0;

  constructor(
    open: () => Promise<ControlClient>,
    take: (atUs: number, rows: StackEvent[], lost: number) => void,
  ) {
    this.#open = open;
    this.#take = take;
  }

  /** Watches with other wishes from now on. @param what `kinds`, `sk` */
  async start(what: object): Promise<Clocks> {
    this.stop();
    const turn = this.#turn;
    const client = await this.#open();
    const { done, socket } = await client.switchTo<Clocks>('watch', what);
    if (turn !== this.#turn) {
      client.close();
      return done;
    }
    this.#client = client;
    this.#take(done.nowUs, [], 0);
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop() as string;
      for (const line of lines) {
        const { at, lost, events } = JSON.parse(line) as Line;
        this.#take(at, events, lost);
      }
    });
    socket.resume();
    return done;
  }

  stop(): void {
    this.#turn++;
    this.#client?.close();
    this.#client = null;
  }
}
