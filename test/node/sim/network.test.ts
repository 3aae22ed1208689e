// Programs in a simulated network: the process's own net, dgram, http and fetch on hosts of it,
// virtual time that jumps, paths that are cut and healed, what the network has counted.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type http from 'node:http';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createNetwork, type Network, type NetworkOptions } from '../../../src/node/sim/index.ts';

const WIRE = { delayUs: 20_000 };

/** A network of a client and a server whose answer to every request is its path. */
function web(options: NetworkOptions = {}) {
  const network = createNetwork({ impairment: WIRE, ...options });
  const client = network.host('client');
  const server = network.host('server');
  const site = server.http.createServer((req, res) => res.end(`${req.method} ${req.url}`));
  const up = (): Promise<void> => new Promise((resolve) => site.listen(80, () => resolve()));
  return { network, client, server, site, up };
}

async function withNetwork(network: Network, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } finally {
    await network.close();
  }
}

describe('a network on virtual time', () => {
  test('carries fetch by the name of a host, in the round trips of its path', async () => {
    const { network, client, up } = web();
    await withNetwork(network, async () => {
      const [text, ms] = await network.run(async () => {
        await up();
        const began = Date.now();
        const response = await client.fetch('http://server/a');
        return [await response.text(), Date.now() - began];
      });
      expect(text).toBe('GET /a');
      // SYN, SYN-ACK, request, answer: two round trips of 40 ms.
      expect(ms).toBe(80);
    });
  });

  test('gives the same packets for the same seed, and others for another', async () => {
    const history = async (seed: number): Promise<[string, number]> => {
      const { network, client, up } = web({ seed, impairment: { ...WIRE, loss: 0.1 } });
      await network.run(async () => {
        await up();
        for (let i = 0; i < 10; i++) await (await client.fetch(`http://server/${i}`)).text();
      });
      await network.close();
      return [network.hash, network.packets];
    };
    const first = await history(3);
    expect(first[1]).toBeGreaterThan(20);
    expect(await history(3)).toEqual(first);
    expect((await history(4))[0]).not.toBe(first[0]);
  });

  test('moves timers, dates and clocks of the program together', async () => {
    const network = createNetwork();
    network.host('alone');
    const seen = await network.run(async () => {
      const { setTimeout: wait } = await import('node:timers/promises');
      const before = [Date.now(), performance.now(), Number(process.hrtime.bigint() / 1_000_000n)];
      const order: string[] = [];
      setTimeout(() => order.push('20 s'), 20_000);
      const every = setInterval(() => order.push('interval'), 8000);
      setImmediate(() => order.push('immediate'));
      const none = setTimeout(() => order.push('never'), 5);
      clearTimeout(none);
      await wait(30_000);
      clearInterval(every);
      const after = [Date.now(), performance.now(), Number(process.hrtime.bigint() / 1_000_000n)];
      return { order, passed: after.map((t, i) => Math.round(t - (before[i] as number))) };
    });
    expect(seen).toEqual({
      order: ['immediate', 'interval', 'interval', '20 s', 'interval'],
      passed: [30_000, 30_000, 30_000],
    });
    await network.close();
  });

  test('puts everything back afterwards', async () => {
    const before = [setTimeout, setImmediate, clearTimeout, Date, performance.now, process.hrtime];
    const { network, up } = web();
    await network.run(up);
    await network.close();
    expect([setTimeout, setImmediate, clearTimeout, Date, performance.now, process.hrtime]).toEqual(
      before,
    );
    expect(new Date().getFullYear()).toBe(new Date(Date.now()).getFullYear());
  });

  test("an aborted wait, AbortSignal.timeout and a socket's timeout are on it", async () => {
    const network = createNetwork({ impairment: WIRE });
    const a = network.host('a');
    const b = network.host('b');
    const times = await network.run(async () => {
      const server = b.net.createServer(() => {}).listen(7);
      await once(server, 'listening');
      const began = Date.now();
      const socket = a.net.connect(7, 'b').setTimeout(90_000);
      await once(socket, 'timeout');
      const idle = Date.now() - began;
      socket.destroy();
      const signal = AbortSignal.timeout(7000);
      await once(signal, 'abort');
      return [idle, Date.now() - began - idle, (signal.reason as Error).name];
    });
    // From 'connect' on, one round trip after the call.
    expect(times).toEqual([90_040, 7000, 'TimeoutError']);
    await network.close();
  });

  test('a run rejects with what the program throws, also in a timer', async () => {
    const { network } = web();
    const late = (): Promise<void> =>
      new Promise(() => {
        setTimeout(() => {
          throw new RangeError('in a timer');
        }, 500);
      });
    await expect(network.run(late)).rejects.toThrow('in a timer');
    await expect(network.run(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    await network.close();
  });

  test('a program that waits for nothing, or too long, is told so', async () => {
    const { network } = web();
    const never = (): Promise<void> => new Promise(() => {});
    await expect(network.run(never, { patienceMs: 20 })).rejects.toMatchObject({
      code: 'ERR_PORTSIDE_SIM_STALLED',
    });
    const long = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60_000));
    await expect(network.run(long, { limitMs: 59_999 })).rejects.toMatchObject({
      code: 'ERR_PORTSIDE_SIM_TIMEOUT',
    });
    const nested = (): Promise<void> => network.run(() => {});
    await expect(network.run(nested)).rejects.toMatchObject({ code: 'ERR_PORTSIDE_SIM_BUSY' });
    await network.close();
  });

  test('files and child processes are waited for in real time', async () => {
    const network = createNetwork();
    network.host('alone');
    const [length, out] = await network.run(async () => {
      const { readFile } = await import('node:fs/promises');
      const { execFile } = await import('node:child_process');
      const text = await readFile(import.meta.filename, 'utf8');
      const echoed = await new Promise<string>((resolve, reject) => {
        setTimeout(() => reject(new Error('time went on without the child')), 60_000);
        execFile(process.execPath, ['-p', '6*7'], (error, stdout) =>
          error === null ? resolve(stdout) : reject(error),
        );
      });
      return [text.length, echoed];
    });
    expect(length).toBeGreaterThan(1000);
    expect(out).toBe('42\n');
    await network.close();
  });
});

describe('a path', () => {
  test('that is cut swallows everything until it is healed, and TCP goes on', async () => {
    const { network, client, server, site, up } = web();
    site.keepAliveTimeout = 60_000;
    await withNetwork(network, async () => {
      const answer = await network.run(async () => {
        await up();
        await (await client.fetch('http://server/before')).text();
        // The client's last acknowledgment is to be out.
        await new Promise((resolve) => setTimeout(resolve, 100));
        const path = network.path(client, server).cut();
        setTimeout(() => path.heal(), 5000);
        const began = Date.now();
        const text = await (await client.fetch('http://server/through')).text();
        return { text, ms: Date.now() - began };
      });
      expect(answer.text).toBe('GET /through');
      expect(answer.ms).toBeGreaterThan(5000);
      expect(answer.ms).toBeLessThan(11_000);
      const seen = network.connection({ client: 'client', port: 80 });
      expect(seen.there.lost).toBeGreaterThanOrEqual(3);
      expect(seen.there.retransmitted).toBe(seen.there.lost);
      expect(seen.back.lost).toBe(0);
    });
  });

  test('cut one way lets the other pass', async () => {
    const network = createNetwork({ impairment: WIRE });
    const a = network.host('a');
    const b = network.host('b');
    const heard = await network.run(async () => {
      const inbox: string[] = [];
      const [ua, ub] = [a.dgram.createSocket('udp4'), b.dgram.createSocket('udp4')];
      ua.on('message', (m) => inbox.push(`a: ${m}`)).bind(5);
      ub.on('message', (m, from) => {
        inbox.push(`b: ${m}`);
        ub.send('pong', from.port, from.address);
      }).bind(5);
      await Promise.all([once(ua, 'listening'), once(ub, 'listening')]);
      const ping = async (): Promise<void> => {
        ua.send('ping', 5, 'b');
        await new Promise((resolve) => setTimeout(resolve, 1000));
      };
      network.path(a, b).cut('back');
      await ping();
      network.path('b', 'a').heal().cut('back');
      await ping();
      network.heal();
      await ping();
      return inbox;
    });
    expect(heard).toEqual(['b: ping', 'b: ping', 'a: pong']);
    expect(network.path(a, b).there.swallowed).toBe(1);
    await network.close();
  });

  test('of a partition is cut, the others are not', async () => {
    const network = createNetwork({ impairment: WIRE });
    const hosts = ['x', 'y', 'z'].map((name) => network.host(name));
    const [x, y, z] = hosts as [(typeof hosts)[0], (typeof hosts)[0], (typeof hosts)[0]];
    const codes = await network.run(async () => {
      for (const h of [y, z]) await once(h.net.createServer((s) => s.end()).listen(1), 'listening');
      network.partition([x], ['y']);
      const outcome = (to: string): Promise<string> =>
        new Promise((resolve) => {
          const socket = x.net.connect({ port: 1, host: to, timeout: 9000 });
          socket.on('timeout', () => socket.destroy(new Error('silence')));
          socket.on('error', (e) => resolve(e.message));
          socket.on('connect', () => {
            socket.destroy();
            resolve('connected');
          });
        });
      return Promise.all([outcome('y'), outcome('z')]);
    });
    expect(codes).toEqual(['silence', 'connected']);
    await network.close();
  });
});

describe('a program that knows nothing of the network', () => {
  test('finds itself on a host of it with its own node:net, node:http and fetch', async () => {
    const { network, server, up } = web();
    const ports: number[] = [];
    server.net
      .createServer((s) => {
        ports.push(s.remotePort ?? 0);
        s.end(`you are ${s.remoteAddress}`);
      })
      .listen(79);
    const heard = await network.run(
      async () => {
        await up();
        const { connect } = await import('node:net');
        const { get } = await import('node:http');
        const socket: net.Socket = connect(79, 'server');
        const [data] = await once(socket, 'data');
        const request = get('http://server/http');
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        const [body] = await once(response, 'data');
        const fetched = await (await fetch('http://server/fetch')).text();
        return [String(data), String(body), fetched];
      },
      { on: 'client' },
    );
    expect(heard).toEqual(['you are ::ffff:10.0.0.1', 'GET /http', 'GET /fetch']);
    expect(ports.length).toBe(1);
    expect(network.connections({ client: 'client', server: 'server' }).length).toBe(3);
    await network.close();
  });
});

describe('what fails', () => {
  test('leaves its packets as pcapng, with the seed that gives them again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portside-sim-'));
    const capture = join(folder, 'failed.pcapng');
    const { network, client, up } = web({ capture, seed: 11, impairment: { ...WIRE, loss: 0.2 } });
    const wrong = async (): Promise<void> => {
      await up();
      expect(await (await client.fetch('http://server/a')).text()).toBe('something else');
    };
    const lines: string[] = [];
    const write = process.stderr.write;
    process.stderr.write = ((text: string) => lines.push(text) > 0) as typeof write;
    try {
      await expect(network.run(wrong)).rejects.toThrow('something else');
    } finally {
      process.stderr.write = write;
    }
    expect(lines.join('')).toMatch(
      /^portside\/sim: failed with seed 11 at 0\.\d{6} s; \d+ packets/,
    );
    const file = readFileSync(capture);
    expect(file.readUInt32LE(0)).toBe(0x0a0d0d0a);
    for (const word of ['client', 'server', 'GET /a HTTP/1.1'])
      expect(file.includes(word)).toBe(true);
    await network.close();
    rmSync(folder, { recursive: true });
  });

  test('names the wrong option (ERR_PORTSIDE_INVALID_OPTION)', async () => {
    const network = createNetwork();
    network.host('a');
    const code = { code: 'ERR_PORTSIDE_INVALID_OPTION' };
    expect(() => network.host('a')).toThrow(expect.objectContaining(code));
    expect(() => network.host('b', { addresses: ['10.0.0.1/24'] })).toThrow(
      expect.objectContaining(code),
    );
    expect(() => network.path('a', 'nobody')).toThrow(expect.objectContaining(code));
    expect(() => createNetwork({ clock: 'lunar' as 'real' })).toThrow(
      expect.objectContaining(code),
    );
    expect(() => network.connection()).toThrow('one connection was expected, there are 0: none');
    await network.close();
  });
});

test('a network on the real clock carries the same programs', async () => {
  const { network, client, up } = web({ clock: 'real', impairment: { delayUs: 1000 } });
  await withNetwork(network, async () => {
    const text = await network.run(async () => {
      await up();
      return (await client.fetch('http://server/real', { method: 'POST', body: 'x' })).text();
    });
    expect(text).toBe('POST /real');
    expect(network.connection().there.octets).toBeGreaterThan(50);
  });
});
