// node:http and node:https on a host: the same modules, but a server listens on the host and a
// request without an agent of the program's uses agents whose sockets are the host's.

import type http from 'node:http';
import type https from 'node:https';
import type * as net from 'node:net';
import type { Duplex } from 'node:stream';
import { adoptServer, listenAdopted } from './adopt.ts';
import type { Ground } from './ground.ts';
import type { Host } from './host.ts';

export type HttpModule = typeof http;
export type HttpsModule = typeof https;

type Bag = Record<string, unknown>;
type Callback = (error: Error | null, stream: Duplex) => void;
type Make = (...args: unknown[]) => net.Server;
type Request = (...args: unknown[]) => http.ClientRequest;
/** Node's own method, which @types/node does not name for https. */
type CreateConnection = (options: object, callback?: Callback) => Duplex;

/** What the modules stand on. */
export interface Place {
  readonly host: Host;
  readonly ground: Ground;
}

/** Loaded when a host's are first asked for: a program on net alone pays nothing for them. */
function loaded<T>(name: 'http' | 'https'): T {
  return process.getBuiltinModule(`node:${name}`) as T;
}

/** How Node's global agents are made. */
const GLOBAL = { keepAlive: true, scheduling: 'lifo', timeout: 5000 } as const;

/** Makes a server listen on the host whenever it is asked to listen. */
function onHost(server: net.Server, { host, ground }: Place): net.Server {
  adoptServer(server, host, ground);
  Object.defineProperty(server, 'listen', {
    value: (...args: unknown[]) => listenAdopted(server, args),
    configurable: true,
    writable: true,
  });
  return server;
}

/** A server class whose instances are the host's; callable without `new`, as Node's are. */
function serverClass(make: Make, place: Place, prototype: object): unknown {
  const Server = function Server(...args: unknown[]): net.Server {
    return onHost(make(...args), place);
  };
  Server.prototype = prototype;
  return Server;
}

/** `(url[, options][, callback])` with our agent where the program names none. */
function withAgent(args: unknown[], agents: Agents): unknown[] {
  const isUrl = typeof args[0] === 'string' || args[0] instanceof URL;
  const at = isUrl ? 1 : 0;
  const given = args[at];
  const hasOptions = typeof given === 'object' && given !== null;
  const options = hasOptions ? { ...(given as Bag) } : {};
  const { agent, createConnection } = options;
  if (agent === false) options['agent'] = new agents.Agent();
  else if (agent == null && typeof createConnection !== 'function') {
    options['agent'] = agents.globalAgent;
  }
  return [...args.slice(0, at), options, ...args.slice(hasOptions ? at + 1 : at)];
}

type Base = typeof http | typeof https;

interface Agents {
  readonly Agent: new (options?: http.AgentOptions) => http.Agent;
  readonly globalAgent: http.Agent;
}

function requests(request: Request, agents: Agents): { request: Request; get: Request } {
  const ask: Request = (...args) => request(...withAgent(args, agents));
  const get: Request = (...args) => {
    const made = ask(...args);
    made.end();
    return made;
  };
  return { request: ask, get };
}

/** What differs from Node's module: where servers listen and from where requests go. */
function onHostOnly(base: Base, Agent: Agents['Agent'], place: Place): object {
  const globalAgent = new Agent(GLOBAL);
  const Server = serverClass(base.createServer as unknown as Make, place, base.Server.prototype);
  const asked = requests(base.request as unknown as Request, { Agent, globalAgent });
  return { ...base, ...asked, Agent, globalAgent, Server, createServer: Server };
}

/** `host.http`. */
export function makeHttp(place: Place): HttpModule {
  const base = loaded<HttpModule>('http');
  class Agent extends base.Agent {
    override createConnection(options: object, callback?: Callback): Duplex {
      return place.host.net.connect(options as net.NetConnectOpts, callback as undefined);
    }
  }
  return onHostOnly(base, Agent, place) as HttpModule;
}

/** `host.https`. */
export function makeHttps(place: Place): HttpsModule {
  const base = loaded<HttpsModule>('https');
  const { createConnection } = base.Agent.prototype as unknown as {
    createConnection: CreateConnection;
  };
  class Agent extends base.Agent {
    override createConnection(options: object, callback?: Callback): Duplex {
      const socket = place.host.net.connect(options as net.NetConnectOpts);
      return createConnection.call(this, { ...options, socket }, callback);
    }
  }
  return onHostOnly(base, Agent, place) as HttpsModule;
}
