// The control socket: a Unix socket of a running host, for its owner only, over which the commands
// look inside. Lines of JSON; docs/inspect.md has the protocol.

import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { briefRows } from '../inspect/brief.ts';
import { connectionOf } from '../stack/send-map.ts';
import { captureAnswers } from './control-capture.ts';
import { eventAnswers } from './control-events.ts';
import { socketAnswers } from './control-sockets.ts';
import { tableAnswers } from './control-tables.ts';
import {
  type Answers,
  type ControlGround,
  controlError,
  type Request,
  Switch,
} from './control-verb.ts';
import { LoopDelay } from './loop-delay.ts';

export const CONTROL_VERSION = 1;
/** Longest request line in octets, and most clients at once. */
const LONGEST_LINE = 65_536;
const MOST_CLIENTS = 16;
/** Connections that carry a socket of the host's. */
const MOST_SWITCHED = 256;
const NEWLINE = 10;
/** Rows of one line of an answer; the host has a turn of its own between two lines. */
const ROWS_A_PART = 500;

/** What a host says of itself. */
export interface HostWords {
  readonly name: string;
  readonly pid: number;
  readonly addresses: readonly string[];
  readonly mtu: number | null;
  readonly offloads: readonly string[];
}

export interface Control {
  readonly path: string;
  close(): void;
}

/** Where control sockets lie: PORTSIDE_RUNTIME, else in the user's runtime directory. */
export function controlFolder(): string {
  const { PORTSIDE_RUNTIME, XDG_RUNTIME_DIR } = process.env;
  if (PORTSIDE_RUNTIME) return PORTSIDE_RUNTIME;
  if (XDG_RUNTIME_DIR) return join(XDG_RUNTIME_DIR, 'portside');
  const { uid } = userInfo();
  return uid === 0 ? '/run/portside' : join(tmpdir(), `portside-${uid}`);
}

/** Makes the folder, for its owner only. Throws EACCES where somebody else may look in. */
function makeFolder(): string {
  const folder = controlFolder();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== userInfo().uid || (stat.mode & 0o077) !== 0) {
    const error = new Error(`${folder} must be a directory of this user with mode 0700`);
    throw Object.assign(error, { code: 'EACCES' });
  }
  return folder;
}

function answersOf(ground: ControlGround, words: HostWords): Answers {
  const { stack } = ground;
  const loop = new LoopDelay();
  return {
    ...tableAnswers(ground),
    ...eventAnswers(ground),
    ...captureAnswers(ground),
    ...socketAnswers(ground),
    ...ground.more,
    host: () => words,
    sockets: (request) => (request.brief === true ? briefRows(stack.sockets()) : stack.sockets()),
    socket: (request) => connectionOf(stack, Number(request.sk)),
    counters: () => stack.counters.snapshot(),
    memory: () => stack.memory(),
    loop: () => loop.read(),
    flows: () => stack.flowTables(),
    kill: (request) => ({ killed: stack.kill(endOf(request.local), endOf(request.remote)) }),
  };
}

function endOf(value: unknown): { address: string; port: number } {
  const { address, port } = (value ?? {}) as { address?: unknown; port?: unknown };
  if (typeof address !== 'string' || typeof port !== 'number') {
    throw controlError('EINVAL', 'local and remote need an address and a port');
  }
  return { address, port };
}

/** Listens at `path`, or in the runtime folder under the host's name. */
export async function openControl(
  ground: ControlGround,
  words: HostWords,
  path: string | null,
): Promise<Control> {
  const answers = answersOf(ground, words);
  const clients = new Set<Socket>();
  const switched = new Set<Socket>();
  const take = (socket: Socket, to: Switch): void => {
    if (switched.size >= MOST_SWITCHED) {
      socket.destroy();
      return;
    }
    clients.delete(socket);
    switched.add(socket);
    socket.on('close', () => switched.delete(socket));
    to.take(socket);
  };
  // what a connection has been switched over to may end in one direction before the other
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (clients.size >= MOST_CLIENTS) {
      socket.destroy();
      return;
    }
    clients.add(socket);
    socket.on('close', () => clients.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.unref();
    greet(socket, words);
    serve(socket, answers, take);
  });
  const at = await listen(server, words.name, path);
  server.unref();
  return {
    path: at,
    close() {
      server.close();
      for (const socket of [...clients, ...switched]) socket.destroy();
    },
  };
}

/** A name that another host has taken gets the process id behind it. */
async function listen(server: Server, name: string, path: string | null): Promise<string> {
  if (path !== null) {
    await listenAt(server, path);
    return path;
  }
  const folder = makeFolder();
  const own = join(folder, `${name}.sock`);
  try {
    await listenAt(server, own);
    return own;
  } catch (error) {
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
  }
  const other = join(folder, `${name}.${process.pid}.sock`);
  await listenAt(server, other);
  return other;
}

async function listenAt(server: Server, path: string): Promise<void> {
  try {
    await listened(server, path);
  } catch (error) {
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
    if (!lstatSync(path).isSocket() || (await answered(path))) throw error;
    // its owner is gone
    unlinkSync(path);
    await listened(server, path);
  }
  chmodSync(path, 0o600);
}

function listened(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Whether somebody listens there. */
function answered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: { code?: string }) => resolve(error.code !== 'ECONNREFUSED'));
  });
}

function greet(socket: Socket, words: HostWords): void {
  say(socket, { portside: CONTROL_VERSION, ...words });
}

function say(socket: Socket, message: object): boolean {
  return socket.write(`${JSON.stringify(message)}\n`);
}

/** One request after the other; a line that is too long ends the client. */
function serve(
  socket: Socket,
  answers: Answers,
  takeOver: (socket: Socket, to: Switch) => void,
): void {
  let text: Buffer = Buffer.alloc(0);
  let busy: Promise<void> = Promise.resolve();
  let waiting = 0;
  let over: Switch | null = null;
  const take = (chunk: Buffer): void => {
    text = text.length === 0 ? chunk : Buffer.concat([text, chunk]);
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE)) {
      const line = text.toString('utf8', 0, end);
      text = text.subarray(end + 1);
      if (++waiting > MOST_CLIENTS) return void socket.destroy();
      busy = busy.then(async () => {
        waiting--;
        if (over !== null || line.trim() === '') return;
        over = await answer(socket, answers, line);
        if (over === null) return;
        socket.off('data', take);
        socket.off('end', ended);
        // the client waits for `done` before it sends anything else
        takeOver(socket, over);
      });
    }
    if (text.length > LONGEST_LINE) socket.destroy();
  };
  const ended = (): void => void busy.then(() => (over === null ? socket.end() : undefined));
  socket.on('data', take);
  socket.on('end', ended);
}

/** Answers one line; a Switch when the connection is something else from here on. */
async function answer(socket: Socket, answers: Answers, line: string): Promise<Switch | null> {
  let id: unknown = null;
  try {
    const request = JSON.parse(line) as Request;
    id = request?.id ?? null;
    const name = request?.do;
    const known = typeof name === 'string' && Object.hasOwn(answers, name);
    if (!known) {
      const asked = Object.keys(answers).join(', ');
      throw controlError('ENOSYS', `'${String(name)}' is not one of ${asked}`);
    }
    const value = await (answers[name] as Answers[string])(request, socket);
    if (Array.isArray(value)) await sayRows(socket, id, value);
    else if (value instanceof Switch) {
      say(socket, { id, done: value.done });
      return value;
    } else say(socket, { id, done: value });
  } catch (error) {
    const { code = 'EINVAL', message } = error as { code?: string; message: string };
    if (!socket.destroyed) say(socket, { id, error: { code, message } });
  }
  return null;
}

async function sayRows(socket: Socket, id: unknown, rows: readonly unknown[]): Promise<void> {
  for (let at = 0; at < rows.length && !socket.destroyed; at += ROWS_A_PART) {
    const room = say(socket, { id, part: rows.slice(at, at + ROWS_A_PART) });
    if (room) await turn();
    else await drained(socket);
  }
  if (!socket.destroyed) say(socket, { id, done: null });
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.once('drain', done);
    socket.once('close', done);
  });
}
