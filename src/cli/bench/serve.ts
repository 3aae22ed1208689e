// `portside bench-serve`, the far end of `portside bench`: echo, discard, chargen, HTTP and the
// datagrams of datagrams.ts, on the core's handles, on a host's net and dgram, or on Node's own.

import * as dgram from 'node:dgram';
import http from 'node:http';
import * as net from 'node:net';
import { Command } from 'commander';
import { startChargen } from '../../services/chargen.ts';
import { startDiscard } from '../../services/discard.ts';
import { startEcho } from '../../services/echo.ts';
import { answer, HTTP_PORT, startHttp } from '../http.ts';
import { type Modules, startNetChargen, startNetDiscard, startNetEcho } from '../net-services.ts';
import { failWith } from '../report.ts';
import { openHost } from '../up.ts';
import { startCoreDatagrams, startNetDatagrams } from './datagrams.ts';

export type Via = 'core' | 'net' | 'node';

export interface ServeOptions {
  readonly via: Via;
  readonly device: string;
  readonly netns: string;
  readonly address: string;
  readonly peer: string;
  readonly mtu: number;
  readonly size: number;
  readonly busyPoll?: number;
}

const NO_PORTS: ReadonlySet<number> = new Set();

export function benchServeCommand(): Command {
  return new Command('bench-serve').argument('<JSON>').action(async (text: string) => {
    // An orderly end writes what --cpu-prof has seen.
    process.on('SIGTERM', () => process.exit(0));
    try {
      await serve(JSON.parse(text) as ServeOptions);
      process.stdout.write('ready\n');
    } catch (reason) {
      failWith(reason);
    }
  });
}

async function serve(o: ServeOptions): Promise<void> {
  if (o.via === 'node') {
    await onModules({ net, dgram } as unknown as Modules, o.size);
    await new Promise<void>((resolve) => {
      http.createServer((req, res) => answer(req, res, null)).listen(HTTP_PORT, resolve);
    });
    return;
  }
  const host = await openHost({
    name: o.device,
    addresses: [`${o.address}/24`],
    own: [],
    peer: o.peer,
    mtu: o.mtu,
    netns: o.netns,
    ...(o.busyPoll === undefined ? {} : { busyPollUs: o.busyPoll }),
  });
  host.ref();
  if (o.via === 'net') await onModules(host as unknown as Modules, o.size);
  else {
    startEcho(host.stack, NO_PORTS);
    startDiscard(host.stack);
    startChargen(host.stack);
    startCoreDatagrams(host.stack, o.size);
  }
  await startHttp(host, { directory: null });
}

async function onModules(modules: Modules, size: number): Promise<void> {
  await startNetEcho(modules, NO_PORTS);
  await startNetDiscard(modules);
  await startNetChargen(modules);
  await startNetDatagrams(modules, size);
}
