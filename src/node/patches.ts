// Changes to objects of Node's, and how each is taken back.

import { syncBuiltinESMExports } from 'node:module';

export type Method = (this: never, ...args: never[]) => unknown;

/** Changes and how to take them back. */
export class Patches {
  readonly #undo: (() => void)[] = [];

  replace(target: object, name: string, make: (original: Method) => Method): void {
    const before = Object.getOwnPropertyDescriptor(target, name) as PropertyDescriptor;
    const value = make(before.value as Method);
    Object.defineProperty(value, 'name', { value: name, configurable: true });
    Object.defineProperty(target, name, { ...before, value });
    this.#undo.push(() => {
      // Whoever has patched over us keeps what it has put there.
      const now = Object.getOwnPropertyDescriptor(target, name);
      if (now?.value === value) Object.defineProperty(target, name, before);
    });
  }

  /** A member that `target` has only by inheritance so far. */
  add(target: object, name: string, member: PropertyDescriptor): void {
    const kind = 'value' in member ? { writable: true } : {};
    Object.defineProperty(target, name, { ...kind, ...member, configurable: true });
    this.#undo.push(() => {
      Reflect.deleteProperty(target, name);
    });
  }

  undo(): void {
    for (const step of this.#undo.reverse()) step();
    this.#undo.length = 0;
    syncBuiltinESMExports();
  }
}
