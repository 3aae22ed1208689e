// Which services run on a host: started in the order of their ports, closed together.

import type { Host } from '../node/host.ts';
import { CHARGEN_PORT, startChargen } from '../services/chargen.ts';
import { DISCARD_PORT, startDiscard } from '../services/discard.ts';
import { ECHO_PORT, startEcho } from '../services/echo.ts';
import { IPERF3_PORT, startIperf3 } from '../services/iperf3.ts';
import type { Service } from '../services/service.ts';
import { HTTP_PORT, startHttp } from './http.ts';
import { type Modules, startNetChargen, startNetDiscard, startNetEcho } from './net-services.ts';
import { cpuTime, nodeTimers } from './timers.ts';

export interface Wanted {
  readonly echo: boolean;
  readonly discard: boolean;
  readonly chargen: boolean;
  /** False: none; a string: that directory; true: the built-in paths. */
  readonly http: boolean | string;
  /** False: none; a number: that port. */
  readonly iperf3: false | number;
  /** Echo, discard and chargen on the core's handles, or on `host.net` and `host.dgram`. */
  readonly via?: 'core' | 'net';
}

/** Every port that one of our services may listen on: none of them gets an answer over UDP. */
export function ownPorts(wanted: Wanted): ReadonlySet<number> {
  const ports = new Set([ECHO_PORT, DISCARD_PORT, CHARGEN_PORT, HTTP_PORT, IPERF3_PORT]);
  if (wanted.iperf3 !== false) ports.add(wanted.iperf3);
  return ports;
}

/** Starts what is wanted; when one of them cannot listen, the others are closed again. */
export async function startServices(host: Host, wanted: Wanted): Promise<Service[]> {
  const { stack } = host;
  const own = ownPorts(wanted);
  const started: Service[] = [];
  try {
    if (wanted.via === 'net') await startOnNet(host, wanted, started);
    else {
      if (wanted.echo) started.push(startEcho(stack, own));
      if (wanted.discard) started.push(startDiscard(stack));
      if (wanted.chargen) started.push(startChargen(stack));
    }
    if (wanted.http !== false) {
      const directory = wanted.http === true ? null : wanted.http;
      started.push(await startHttp(host, { directory }));
    }
    if (wanted.iperf3 !== false) {
      started.push(
        startIperf3(stack, {
          timers: nodeTimers,
          cpu: cpuTime,
          ownPorts: own,
          port: wanted.iperf3,
        }),
      );
    }
    return started;
  } catch (reason) {
    closeServices(started);
    throw reason;
  }
}

async function startOnNet(host: Host, wanted: Wanted, started: Service[]): Promise<void> {
  const modules = host as unknown as Modules;
  if (wanted.echo) started.push(await startNetEcho(modules, ownPorts(wanted)));
  if (wanted.discard) started.push(await startNetDiscard(modules));
  if (wanted.chargen) started.push(await startNetChargen(modules));
}

export function closeServices(services: readonly Service[]): void {
  for (const service of services) service.close();
}
