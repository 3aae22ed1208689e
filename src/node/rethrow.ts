// What a handler of the program's throws: it goes where Node's own go ('uncaughtException'), in a
// tick of its own, and the round of the stack in which it was thrown goes on.

export function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
