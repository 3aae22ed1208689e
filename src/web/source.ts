// Where the inspector gets what it shows: a running host (live.ts) or the laboratory (lab.ts).

import type { Hello, PacketDetail, Snapshot, Wants } from './frames.ts';

/** Where a reader stands: what came before has been told. */
export interface Cursor {
  packets: number;
  events: number;
  /** Of the connection whose page is open. */
  moves: number;
  segments: number;
  samples: number;
  conn: string;
}

export function newCursor(): Cursor {
  return { packets: 0, events: 0, moves: 0, segments: 0, samples: 0, conn: '' };
}

export interface Source {
  hello(): Hello;
  /** What is wanted and new; moves the cursor. */
  look(wants: Wants, cursor: Cursor): Promise<Snapshot>;
  /** A packet of the list, taken apart; null when it is gone. */
  packet(n: number): PacketDetail | null;
  /** An order of the page's: `kill`, or a control of the laboratory. Rejects with what is wrong. */
  act(name: string, what: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** How many pages look; at 0 nothing is kept or asked. */
  watched(pages: number): void;
  close(): void;
}
