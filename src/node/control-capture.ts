// The control socket's verb `capture`: the connection carries pcapng from there on, until the
// client ends its side (then the counts follow and the end) or goes away.

import type { Socket } from 'node:net';
import { StackCapture } from '../inspect/capture-stack.ts';
import { CaptureFilterError, parsePacketFilter } from '../inspect/packet-filter.ts';
import type { Stack } from '../stack/stack.ts';
import { linkRows } from '../stack/tables.ts';
import {
  type Answers,
  type ControlGround,
  controlError,
  numberOf,
  type Request,
  Switch,
  textOf,
} from './control-verb.ts';

/** Octets that wait for a slow reader; what comes beyond is left out and counted. */
const MOST_WAITING = 8 << 20;
const LONGEST_SNAP = 262_144;

export function captureAnswers({ stack, nowUs }: ControlGround): Answers {
  return { capture: (request) => capture(stack, nowUs(), request) };
}

function capture(stack: Stack, nowUs: number, request: Request): Switch {
  const filter = textOf(request, 'filter', '');
  const link = request.link === undefined ? undefined : textOf(request, 'link');
  const snap = numberOf(request, 'snap', [1, LONGEST_SNAP], LONGEST_SNAP);
  const count = numberOf(request, 'count', [0, 2 ** 31 - 1], 0);
  const comments = request.comments === true;
  const names = linkRows(stack).map((row) => row.device);
  if (link !== undefined && !names.includes(link)) {
    throw controlError('ENODEV', `there is no link ${link}`);
  }
  check(filter);
  const epochUs = Date.now() * 1000 - nowUs;
  return new Switch({ links: names }, (socket) => {
    const reader = {
      chunk: (octets: Uint8Array) => void socket.write(octets),
      room: () => socket.writableLength < MOST_WAITING,
      ended: () => void socket.end(),
    };
    begin(
      socket,
      new StackCapture(stack, reader, { filter, link, snap, count, comments, epochUs }),
    );
  });
}

function check(filter: string): void {
  try {
    parsePacketFilter(filter);
  } catch (error) {
    if (error instanceof CaptureFilterError) throw controlError('EINVAL', error.message);
    throw error;
  }
}

function begin(socket: Socket, running: StackCapture): void {
  const end = (): void => running.end();
  socket.resume();
  socket.once('end', end);
  socket.once('close', end);
}
