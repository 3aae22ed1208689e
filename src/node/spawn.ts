// `host.spawn`: a worker thread with a seat at the host's device.

import { Worker, type WorkerOptions } from 'node:worker_threads';
import { coded } from './errors.ts';
import type { Settings } from './options.ts';
import type { Queues, Seat } from './queues.ts';
import type { DeviceInfo } from './tun.ts';

/** Beside the program's own `workerData`, under `portside`: what `attachHost` reads. */
export function spawnWorker(
  queues: Queues | null,
  device: DeviceInfo | null,
  settings: Settings,
  file: string | URL,
  options: WorkerOptions,
): Worker {
  const seat = queues?.promise() ?? null;
  if (queues === null || seat === null) {
    const why = queues === null ? 'the host was made without `queues`' : 'every queue has a thread';
    throw coded(RangeError, 'ERR_PORTSIDE_NO_QUEUE', `No queue is free: ${why}`);
  }
  try {
    const portside = { seat, options: settingsOf(settings, device as DeviceInfo, seat) };
    const workerData = { ...(options.workerData as object | undefined), portside };
    const worker = new Worker(file, { ...options, workerData });
    worker.once('exit', () => queues.vacate(seat.index));
    return worker;
  } catch (error) {
    queues.vacate(seat.index);
    throw error;
  }
}

/** What the program has said, as options once more; the device's own name, not its pattern. */
function settingsOf(settings: Settings, device: DeviceInfo, seat: Seat): object {
  const { given } = settings;
  const tun = { ...settings.tun, name: device.name };
  const { clock: _clock, random: _random, lookup: _lookup, ...rest } = given;
  return { ...rest, tun, queues: seat.count };
}
