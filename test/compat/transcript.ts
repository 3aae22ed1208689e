// What a program observes, in order, as lines of text: the same program on node:net and on a host
// must write the same lines. Port numbers that the system chose are replaced by names.

import type * as dgram from 'node:dgram';
import type * as dns from 'node:dns';
import type { EventEmitter } from 'node:events';
import type * as net from 'node:net';

export interface Ground {
  net: typeof net;
  dgram: typeof dgram;
  dns: typeof dns;
}

export class Transcript {
  readonly lines: string[] = [];
  readonly #names = new Map<string, string>();

  log(...parts: unknown[]): void {
    this.lines.push(parts.map((part) => this.#text(part)).join(' '));
  }

  /**
   * The lines by party: what stands before the first colon (`client:`). The two ends of a
   * connection are independent; only each one's own order is a promise.
   */
  parties(): Record<string, string[]> {
    const out: Record<string, string[]> = {};
    for (const line of this.lines) {
      const party = /^(\w+):/.exec(line)?.[1] ?? 'program';
      out[party] ??= [];
      out[party].push(line);
    }
    return out;
  }

  /** From here on `port` is written as `name`. */
  call(port: number | undefined, name: string): void {
    if (port !== undefined) this.#names.set(String(port), name);
  }

  /** Logs each of these events with its arguments. */
  watch(label: string, emitter: EventEmitter, events: string): void {
    for (const event of events.split(' ')) {
      emitter.on(event, (...args: unknown[]) => this.log(`${label}:${event}`, ...args));
    }
  }

  #text(part: unknown): string {
    if (part instanceof Error) {
      const { code, errno, syscall, address, port } = part as NodeJS.ErrnoException & {
        address?: string;
        port?: number;
      };
      const fields = { code, errno, syscall, address, port, message: part.message };
      return `${part.name}${this.#scrub(JSON.stringify(fields))}`;
    }
    if (part instanceof Uint8Array) return JSON.stringify(Buffer.from(part).toString('latin1'));
    if (typeof part === 'object' && part !== null) return this.#scrub(JSON.stringify(part));
    return this.#scrub(String(part));
  }

  #scrub(text: string): string {
    let out = text;
    for (const [port, name] of this.#names) {
      out = out.replace(new RegExp(`\\b${port}\\b`, 'g'), name);
    }
    return out;
  }
}

/** A program ends when its promise does; what it leaves open is its own fault. */
export type Program = (ground: Ground, t: Transcript) => Promise<void>;

export function once(emitter: EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => {
    emitter.once(event, (...args: unknown[]) => resolve(args));
  });
}

/** Listens on 127.0.0.1, any port; the port is called SERVER from here on. */
export async function listening(server: net.Server, t: Transcript): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  t.call(port, 'SERVER');
  return port;
}

/** Lets everything that is under way in the event loop happen, a bounded number of rounds. */
export async function settled(rounds = 10): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A server, one connection to it, and both ends of that. */
export interface Joined {
  server: net.Server;
  port: number;
  client: net.Socket;
  peer: net.Socket;
}

export async function joined(
  module: typeof net,
  t: Transcript,
  serverOptions: net.ServerOpts = {},
  clientOptions: object = {},
): Promise<Joined> {
  const server = module.createServer(serverOptions);
  const port = await listening(server, t);
  const accepted = once(server, 'connection');
  const client = module.connect({ port, host: '127.0.0.1', ...clientOptions });
  const connected = once(client, 'connect');
  const [peer] = (await accepted) as [net.Socket];
  await connected;
  return { server, port, client, peer };
}

export async function closed(server: net.Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** A port of 127.0.0.1 where nobody listens, called CLOSED. */
export async function closedPort(module: typeof net, t: Transcript): Promise<number> {
  const server = module.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  t.call(port, 'CLOSED');
  await closed(server);
  return port;
}

/** What a call throws, or that it throws nothing. */
export function attempt(t: Transcript, what: string, run: () => unknown): void {
  try {
    run();
    t.log(what, 'nothing thrown');
  } catch (error) {
    t.log(what, error);
  }
}
