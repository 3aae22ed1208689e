// Node runs what a callback has left behind (process.nextTick, promises) before its event loop
// makes the next callback. Several events of one turn reach the program without the loop between
// them, and programs rely on the order: so the same is done here between two of them. Node's own
// door to that is `process._tickCallback` (bootstrap/node.js, Node 0.10 to 24), 20 to 40 ns when
// nothing waits. A Node without it runs everything at the end of the turn.

/** Ticks that throw, one after the other, before the rest waits for the end of the turn. */
const MOST_ERRORS = 100;

type TickCallback = () => void;

/** With --pending-deprecation a warning is around it; util.deprecate keeps the inner function. */
function findDoor(): TickCallback {
  const door = (process as { _tickCallback?: unknown })._tickCallback;
  if (typeof door !== 'function') return nothing;
  const inner: unknown = Object.getPrototypeOf(door);
  return (inner === Function.prototype ? door : inner) as TickCallback;
}

const runTicks = findDoor();

/** Only where no code of the program's is under way, and in a callback of the event loop. */
export function settleTicks(): void {
  for (let i = 0; i < MOST_ERRORS; i++) {
    try {
      runTicks();
      return;
    } catch (error) {
      // A microtask's error is 'uncaughtException' at once, and leaves no trace in async_hooks.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

function nothing(): void {}
