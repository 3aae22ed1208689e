// A reading position in the text of a packet script: blanks and comments are skipped, what cannot be
// read is an error that names the line.

/** The script asks for something that portside or this front end does not have. */
export class NotHere extends Error {
  override readonly name = 'NotHere';
}

export class PdError extends Error {
  override readonly name = 'PdError';
  readonly line: number;
  /** Why the script does not apply; '' when it applies and failed. */
  readonly notHere: string;
  constructor(line: number, text: string, what: string, notHere = '') {
    super(`line ${line}: ${what}\n    ${text.trim()}`);
    this.line = line;
    this.notHere = notHere;
  }
}

const BLANK = /(?:\s+|\/\/[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)+/y;

export class Cursor {
  readonly text: string;
  pos = 0;

  constructor(text: string) {
    this.text = text;
  }

  get line(): number {
    let n = 1;
    for (let i = 0; i < this.pos && i < this.text.length; i++) if (this.text[i] === '\n') n++;
    return n;
  }

  lineText(line: number): string {
    return this.text.split('\n')[line - 1] ?? '';
  }

  fail(what: string): never {
    const line = this.line;
    throw new PdError(line, this.lineText(line), what, what);
  }

  skipBlanks(): this {
    BLANK.lastIndex = this.pos;
    if (BLANK.test(this.text)) this.pos = BLANK.lastIndex;
    return this;
  }

  get atEnd(): boolean {
    return this.skipBlanks().pos >= this.text.length;
  }

  /** What matches the sticky `pattern` here, behind blanks; null and no move otherwise. */
  take(pattern: RegExp): RegExpExecArray | null {
    this.skipBlanks();
    pattern.lastIndex = this.pos;
    const m = pattern.exec(this.text);
    if (m !== null) this.pos = pattern.lastIndex;
    return m;
  }

  must(pattern: RegExp, what: string): RegExpExecArray {
    return this.take(pattern) ?? this.fail(`${what} expected`);
  }

  sees(literal: string): boolean {
    return this.text.startsWith(literal, this.skipBlanks().pos);
  }

  accept(literal: string): boolean {
    if (!this.sees(literal)) return false;
    this.pos += literal.length;
    return true;
  }

  expect(literal: string): void {
    if (!this.accept(literal)) this.fail(`'${literal}' expected`);
  }

  /** The text up to `end`, which is skipped. */
  until(end: string): string {
    const at = this.text.indexOf(end, this.pos);
    if (at < 0) return this.fail(`no closing ${end}`);
    const found = this.text.slice(this.pos, at);
    this.pos = at + end.length;
    return found;
  }
}
