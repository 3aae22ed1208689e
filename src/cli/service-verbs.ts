// The services of a running `portside up`, by its control socket: which run, one more, one less.

import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { type Answers, controlError, type Request, textOf } from '../node/control-verb.ts';
import type { Host } from '../node/host.ts';
import { IPERF3_PORT } from '../services/iperf3.ts';
import type { Listening, Service } from '../services/service.ts';
import { startServices, type Wanted } from './service-set.ts';

export interface ServiceRow {
  readonly name: string;
  readonly listens: readonly Listening[];
}

const NONE: Wanted = { echo: false, discard: false, chargen: false, http: false, iperf3: false };
export const STARTABLE = ['echo', 'discard', 'chargen', 'http', 'iperf3'] as const;

/** Verbs over the list that the host closes at its end. */
export function serviceAnswers(host: Host, running: Service[], via: Wanted['via']): Answers {
  const starting = new Set<string>();
  return {
    services: () => running.map(rowOf),
    'service-start': async (request) => {
      const name = nameOf(request);
      if (starting.has(name) || running.some((one) => one.name === name)) {
        throw controlError('EEXIST', `${name} is running`);
      }
      starting.add(name);
      try {
        const wanted = { ...NONE, via: via ?? 'core', ...wishOf(name, request) };
        const started = await startServices(host, wanted);
        running.push(...started);
        return started.map(rowOf)[0];
      } finally {
        starting.delete(name);
      }
    },
    'service-stop': (request) => {
      const name = nameOf(request);
      const at = running.findIndex((one) => one.name === name);
      if (at < 0) throw controlError('ENOENT', `${name} is not running`);
      const [gone] = running.splice(at, 1) as [Service];
      gone.close();
      return rowOf(gone);
    },
  };
}

function rowOf({ name, listens }: Service): ServiceRow {
  return { name, listens };
}

function nameOf(request: Request): string {
  const name = textOf(request, 'name');
  if ((STARTABLE as readonly string[]).includes(name)) return name;
  throw controlError('EINVAL', `'${name}' is none of ${STARTABLE.join(', ')}`);
}

/** Behind `=`: the directory of http, the port of iperf3. */
function wishOf(name: string, request: Request): Partial<Wanted> {
  const value = textOf(request, 'value', '');
  if (value === '') return name === 'iperf3' ? { iperf3: IPERF3_PORT } : { [name]: true };
  if (name === 'iperf3') {
    const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
    if (port >= 1 && port <= 65_535) return { iperf3: port };
    throw controlError('EINVAL', `iperf3: '${value}' is not a port`);
  }
  if (name !== 'http') throw controlError('EINVAL', `${name} takes no value`);
  // the client's directory is not the host's
  if (isAbsolute(value) && statSync(value, { throwIfNoEntry: false })?.isDirectory() === true) {
    return { http: value };
  }
  throw controlError('EINVAL', `http: '${value}' is not a directory`);
}
