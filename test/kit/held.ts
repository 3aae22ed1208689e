// What a process holds: octets after a collection, listeners of the process, and what keeps the event
// loop alive. For tests that nothing is left behind; they need --expose-gc.

const collect = (globalThis as { gc?: () => void }).gc as () => void;

/** Octets of everything that JavaScript holds. */
export async function held(): Promise<number> {
  // What ended in this turn may still be on the stack or in a callback's closure.
  for (let i = 0; i < 2; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + Math.max(external, arrayBuffers);
}

/** `name count` of everything that is listened to on an emitter. */
export function listenersOf(emitter: NodeJS.EventEmitter): string {
  const names = emitter.eventNames() as string[];
  return names
    .map((name) => `${String(name)} ${emitter.listenerCount(name)}`)
    .sort()
    .join();
}

/** What is in `after` more often than in `before`. */
export function more(before: readonly string[], after: readonly string[]): string[] {
  const left = [...before];
  return after.filter((name) => {
    const at = left.indexOf(name);
    if (at >= 0) left.splice(at, 1);
    return at < 0 && name !== 'Immediate';
  });
}
