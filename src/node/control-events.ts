// The control socket's verbs about what goes on inside: a connection in detail, drops with
// examples, fragments, path MTUs, metrics, and `watch`: events as they happen, for as long as the
// client listens. A client that reads slowly loses events, and is told how many.

import type { Socket } from 'node:net';
import { EVENT_KINDS, type EventReader, kindsMask, subscribe } from '../inspect/event-rows.ts';
import { metricsText } from '../inspect/metrics.ts';
import {
  connectionDetail,
  dropRows,
  fragmentRows,
  inspectStack,
  pathRows,
} from '../stack/detail.ts';
import type { Stack } from '../stack/stack.ts';
import {
  type Answers,
  type ControlGround,
  controlError,
  numberOf,
  type Request,
  Switch,
} from './control-verb.ts';

/** Lines of a watch in a second, and events of one line. */
const MOST_HZ = 10;
const MOST_IN_LINE = 16_384;

export function eventAnswers({ stack, nowUs }: ControlGround): Answers {
  return {
    inspect: () => inspectStack(stack),
    detail: (request) => {
      const sk = numberOf(request, 'sk', [1, 2 ** 31 - 1]);
      const detail = connectionDetail(stack, sk);
      if (detail === null) throw controlError('ENOENT', `there is no connection ${sk}`);
      return detail;
    },
    drops: () => dropRows(stack),
    fragments: () => fragmentRows(stack),
    paths: () => pathRows(stack),
    metrics: () => metricsText(stack),
    watch: (request) => watch(stack, nowUs(), request),
  };
}

function kindsOf(request: Request): number | undefined {
  const { kinds } = request;
  if (kinds === undefined) return undefined;
  const mask = Array.isArray(kinds) ? kindsMask(kinds.map(String)) : null;
  if (mask === null) {
    throw controlError('EINVAL', `kinds is a list of: ${EVENT_KINDS.slice(2).join(', ')}`);
  }
  return mask;
}

/** `{ kinds?, sk?, hz?, capacity? }`: from here on lines `{ at, lost, events }`. */
function watch(stack: Stack, nowUs: number, request: Request): Switch {
  const hz = numberOf(request, 'hz', [1, MOST_HZ], MOST_HZ);
  const capacity = numberOf(request, 'capacity', [64, 1 << 20], 1 << 14);
  const id = numberOf(request, 'sk', [0, 2 ** 31 - 1], 0);
  const kinds = kindsOf(request);
  const events = subscribe(stack, { kinds, id, capacity });
  const done = { nowUs, epochUs: Date.now() * 1000 - nowUs };
  return new Switch(done, (socket) => stream(stack, socket, events, 1000 / hz));
}

function stream(stack: Stack, socket: Socket, events: EventReader, everyMs: number): void {
  let told = 0;
  const tell = (): void => {
    // what the client has not read yet comes first
    if (socket.writableNeedDrain) return;
    const rows = events.take(MOST_IN_LINE);
    const lost = events.lost - told;
    if (rows.length === 0 && lost === 0) return;
    told = events.lost;
    socket.write(`${JSON.stringify({ at: stack.ip.nowUs, lost, events: rows })}\n`);
  };
  const timer = setInterval(tell, everyMs);
  timer.unref();
  const end = (): void => {
    clearInterval(timer);
    events.close();
    socket.destroy();
  };
  socket.resume();
  socket.once('end', end);
  socket.once('close', end);
}
