// The methods of our sockets that node:net does not have (tcp-options.ts says what they mean).
// Before the connection exists they are remembered and given to it; afterwards they act at once.

import type { TcpInfo } from '../socket/tcp-info.ts';
import type { TcpOptions, TcpSocket } from '../socket/tcp-socket.ts';
import type { Controller } from '../tcp/congestion/controller.ts';
import type { Edge } from './edge.ts';
import { controllerOf, integer, pacingRate } from './tcp-options.ts';

const MOST_MS = 0x7fffffff;

type Live = (handle: TcpSocket) => void;

function set(edge: Edge, options: TcpOptions, live: Live): void {
  edge.tcp = { ...edge.tcp, ...options };
  if (edge.handle !== null && !edge.over) live(edge.handle);
}

/** Adds the methods to a prototype whose instances have an edge. */
export function addTcpSetters(prototype: object, edgeOf: (socket: unknown) => Edge): void {
  const methods = {
    tcpInfo(): TcpInfo | null {
      const edge = edgeOf(this);
      const lives = edge.active && !edge.over;
      return lives && edge.handle !== null ? edge.handle.info() : null;
    },
    setQuickAck(on = true) {
      const edge = edgeOf(this);
      edge.quickAck = Boolean(on);
      if (edge.handle !== null && !edge.over) edge.handle.setQuickAck(edge.quickAck);
      return this;
    },
    setCork(on = true) {
      const edge = edgeOf(this);
      edge.corked = Boolean(on);
      if (edge.handle === null || edge.over) return this;
      if (edge.corked) edge.handle.cork();
      else edge.handle.uncork();
      return this;
    },
    setUserTimeout(ms: number) {
      const userTimeoutMs = integer('ms', ms, 0, MOST_MS);
      set(edgeOf(this), { userTimeoutMs }, (handle) => handle.setUserTimeout(userTimeoutMs));
      return this;
    },
    setCongestion(congestion: string | Controller) {
      const controller = controllerOf(congestion);
      set(edgeOf(this), { controller }, (handle) => handle.setController(controller));
      return this;
    },
    setTos(value: number) {
      const tos = integer('tos', value, 0, 255);
      set(edgeOf(this), { tos }, (handle) => handle.setTos(tos));
      return this;
    },
    setTtl(value: number) {
      const ttl = integer('ttl', value, 1, 255);
      set(edgeOf(this), { ttl }, (handle) => handle.setTtl(ttl));
      return this;
    },
    setMaxPacingRate(octetsPerSecond: number) {
      const edge = edgeOf(this);
      edge.pacingRate = pacingRate(octetsPerSecond);
      if (edge.handle !== null && !edge.over) edge.handle.setMaxPacingRate(edge.pacingRate);
      return this;
    },
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
}
