// What the commands print: plain lines for people, JSON lines for programs, and errors as one
// sentence with exit code 1.

/** Misuse of the command line: the message is the whole answer. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export class Report {
  readonly #json: boolean;
  constructor(json: boolean) {
    this.#json = json;
  }

  /** One event: `text` for people, `{"event": …}` with `fields` for programs. */
  say(event: string, text: string, fields: Record<string, unknown> = {}): void {
    process.stdout.write(this.#json ? `${JSON.stringify({ event, ...fields })}\n` : `${text}\n`);
  }
}

export function sentence(reason: unknown): string {
  const text = reason instanceof Error ? reason.message : String(reason);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}

/** Prints one sentence on stderr and ends the process with 1. */
export function failWith(reason: unknown): never {
  process.stderr.write(`portside: ${sentence(reason)}\n`);
  process.exit(1);
}
