// What every view of the page is.

import type { Line } from './line.ts';
import type { Store } from './store.ts';

export interface View {
  /** Word of the address and of the tab. */
  readonly name: string;
  readonly title: string;
  readonly element: HTMLElement;
  /** Parts of a snapshot that it needs. */
  readonly views: readonly string[];
  /** Something has changed; called at most ten times a second, and only while it is seen. */
  draw(store: Store): void;
  focus?(): void;
  /** Keys of its own; true: it was one. */
  key?(event: KeyboardEvent): boolean;
  /** Words for the line of keys. */
  readonly keys?: string;
  /** What `/` asks for; null: cannot be filtered. */
  filter?(text: string): void;
}

/** What views do to the page. */
export interface Desk {
  readonly line: Line;
  open(hash: string): void;
  say(text: string): void;
}
