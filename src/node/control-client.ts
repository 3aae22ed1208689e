// The other end of a host's control socket: what the commands that look inside ask with.

import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { CONTROL_VERSION, controlFolder, type HostWords } from './control.ts';

const PATIENCE_MS = 5000;
const NEWLINE = 10;

/** Names of the hosts whose sockets lie in the runtime folder. */
export function hostNames(): string[] {
  try {
    const files = readdirSync(controlFolder()).filter((file) => file.endsWith('.sock'));
    return files.map((file) => file.slice(0, -'.sock'.length)).sort();
  } catch {
    return [];
  }
}

/** The path of the socket of `name` (or a path), or of the only host that answers. */
export async function openHost(name: string | undefined): Promise<ControlClient> {
  if (name?.includes('/')) return ControlClient.open(name);
  const names = name === undefined ? hostNames() : [name];
  const found: ControlClient[] = [];
  let reason: unknown = null;
  for (const one of names) {
    try {
      found.push(await ControlClient.open(join(controlFolder(), `${one}.sock`)));
    } catch (error) {
      reason = error;
    }
  }
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  for (const client of found) client.close();
  if (found.length > 1) {
    const list = found.map((client) => client.words.name).join(', ');
    throw new Error(`several hosts are running (${list}): choose one with --host NAME`);
  }
  if (name !== undefined && reason !== null) throw reason;
  throw new Error('no host is running that lets itself be looked into (see `portside up`)');
}

interface Waiting {
  readonly rows: unknown[];
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A connection that carries a socket of the host's from here on. */
export interface Switched<T> {
  readonly done: T;
  readonly socket: Socket;
}

/**
 * Asks for something that takes its connection over. Rejects with the host's error. The socket is
 * paused; each end of it ends by itself.
 */
export function openSwitched<T>(path: string, what: string, more: object): Promise<Switched<T>> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    const closed = (): void => fail(new Error('the host has closed its control socket'));
    let text: Buffer = Buffer.alloc(0);
    let greeted = false;
    const take = (chunk: Buffer): void => {
      text = Buffer.concat([text, chunk]);
      for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10)) {
        const line = text.toString('utf8', 0, end);
        text = text.subarray(end + 1);
        if (!greeted) {
          if (greeting(line) === null) return fail(new Error(`${path} speaks another version`));
          greeted = true;
          socket.write(`${JSON.stringify({ id: 1, do: what, ...more })}\n`);
          continue;
        }
        const { done, error } = JSON.parse(line) as { done: T; error?: Failure };
        if (error !== undefined) return fail(errorOf(error));
        socket.pause();
        socket.off('data', take).off('error', fail).off('end', closed);
        if (text.length > 0) socket.unshift(text);
        return resolve({ done, socket });
      }
    };
    socket.on('data', take).once('error', fail).once('end', closed);
  });
}

interface Failure {
  readonly message: string;
  readonly code: string;
}

function errorOf({ message, code }: Failure): Error {
  return Object.assign(new Error(message), { code });
}

export class ControlClient {
  readonly words: HostWords;
  readonly path: string;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #text: Buffer = Buffer.alloc(0);
  /** The request behind whose answer the connection carries something else. */
  #over = -1;

  private constructor(path: string, socket: Socket, words: HostWords, rest: Buffer) {
    this.path = path;
    this.words = words;
    this.#socket = socket;
    socket.on('data', this.#data);
    socket.on('close', () => this.#fail(new Error('the host has closed its control socket')));
    socket.on('error', (error) => this.#fail(error));
    this.#take(rest);
  }

  /** Connects and reads the greeting. Rejects with Node's error of the connect. */
  static open(path: string): Promise<ControlClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      let text: Buffer = Buffer.alloc(0);
      socket.setTimeout(PATIENCE_MS, () => fail(new Error(`${path} does not answer`)));
      const fail = (error: Error): void => {
        socket.destroy();
        reject(error);
      };
      socket.once('error', fail);
      const first = (chunk: Buffer): void => {
        text = Buffer.concat([text, chunk]);
        const end = text.indexOf(NEWLINE);
        if (end < 0) return;
        socket.off('data', first);
        socket.off('error', fail);
        socket.setTimeout(0);
        const words = greeting(text.toString('utf8', 0, end));
        if (words === null) fail(new Error(`${path} is no control socket of this version`));
        else resolve(new ControlClient(path, socket, words, text.subarray(end + 1)));
      };
      socket.on('data', first);
    });
  }

  /** Asks and waits; an answer in parts comes as one array. Rejects with the host's error. */
  ask<T>(what: string, more: object = {}): Promise<T> {
    const id = ++this.#last;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, {
        rows: [],
        resolve: (value) => resolve(value as T),
        reject,
      });
      this.#socket.write(`${JSON.stringify({ id, do: what, ...more })}\n`);
    });
  }

  /**
   * Asks for what takes the connection over (`watch`, `capture`): the answer, and the connection
   * with what has come behind it. Nothing else can be asked afterwards; `close` ends it.
   */
  async switchTo<T>(what: string, more: object = {}): Promise<{ done: T; socket: Socket }> {
    this.#over = this.#last + 1;
    const done = await this.ask<T>(what, more);
    return { done, socket: this.#socket };
  }

  /** A further connection to the same host, which carries what `what` asks for. */
  open<T>(what: string, more: object = {}): Promise<Switched<T>> {
    return openSwitched<T>(this.path, what, more);
  }

  close(): void {
    this.#socket.destroy();
  }

  readonly #data = (chunk: Buffer): void => this.#take(chunk);

  #take(chunk: Buffer): void {
    this.#text = this.#text.length === 0 ? chunk : Buffer.concat([this.#text, chunk]);
    for (let end = this.#text.indexOf(NEWLINE); end >= 0; end = this.#text.indexOf(NEWLINE)) {
      const line = this.#text.toString('utf8', 0, end);
      this.#text = this.#text.subarray(end + 1);
      if (this.#answer(JSON.parse(line)) && this.#letGo()) return;
    }
  }

  /** The connection is somebody else's now: what has come already is read first. */
  #letGo(): true {
    this.#socket.off('data', this.#data);
    this.#socket.pause();
    if (this.#text.length > 0) this.#socket.unshift(this.#text);
    this.#text = Buffer.alloc(0);
    return true;
  }

  /** True: it was the answer that gives the connection away. */
  #answer(message: { id: number; part?: unknown[]; done?: unknown; error?: object }): boolean {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return false;
    if (message.part !== undefined) {
      for (const row of message.part) waiting.rows.push(row);
      return false;
    }
    this.#waiting.delete(message.id);
    if (message.error !== undefined) {
      waiting.reject(errorOf(message.error as Failure));
    } else waiting.resolve(message.done ?? waiting.rows);
    return message.error === undefined && message.id === this.#over;
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

function greeting(line: string): HostWords | null {
  try {
    const said = JSON.parse(line) as HostWords & { portside?: unknown };
    return said.portside === CONTROL_VERSION ? said : null;
  } catch {
    return null;
  }
}
