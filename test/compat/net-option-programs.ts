// Programs for node:net and for a host's net: timeouts, lookup, families, local ends, options.

import type * as net from 'node:net';
import {
  attempt,
  closed,
  closedPort,
  joined,
  listening,
  once,
  type Program,
  settled,
} from './transcript.ts';

type Answer = (host: string, options: unknown, cb: (...a: unknown[]) => void) => void;

/** Connects with a lookup of its own, and waits for the end. */
async function through(
  module: typeof net,
  options: object,
  lookup: Answer,
  watch: (c: net.Socket) => void,
): Promise<net.Socket> {
  const c = module.connect({ host: 'some.name', ...options, lookup } as net.NetConnectOpts);
  watch(c);
  c.resume();
  await once(c, 'close');
  return c;
}

const LIFE = 'lookup connectionAttempt connectionAttemptFailed connect ready end error close';

export const optionPrograms: Record<string, Program> = {
  'setTimeout: its values': async ({ net }, t) => {
    const s = new net.Socket();
    t.log(s.timeout);
    t.log(s.setTimeout(100) === s, s.timeout, s.listenerCount('timeout'));
    s.setTimeout(50, () => {});
    t.log(s.timeout, s.listenerCount('timeout'));
    s.setTimeout(0);
    t.log(s.timeout);
    for (const bad of [
      '100',
      true,
      null,
      undefined,
      {},
      Number.NaN,
      -1,
      Number.POSITIVE_INFINITY,
    ]) {
      attempt(t, String(bad), () => s.setTimeout(bad as number));
    }
    attempt(t, 'callback', () => s.setTimeout(1, {} as () => void));
    s.setTimeout(0);
    s.destroy();
    await once(s, 'close');
  },

  'setTimeout removed with its callback': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t);
    peer.resume();
    const never = (): void => t.log('client:never');
    client.setTimeout(20, never);
    client.setTimeout(0, never);
    client.on('timeout', () => t.log('client:timeout'));
    await new Promise((resolve) => setTimeout(resolve, 60));
    client.setTimeout(10);
    await once(client, 'timeout');
    t.log('client:open', client.destroyed, client.timeout);
    client.destroy();
    await once(client, 'close');
    await closed(server);
  },

  'the timeout option of connect, and of a server’s sockets': async ({ net }, t) => {
    const { server, client, peer } = await joined(net, t, {}, { timeout: 20 });
    t.log(client.timeout, peer.timeout);
    t.watch('client', client, 'timeout close');
    peer.setTimeout(15, () => t.log('peer:timeout'));
    await Promise.all([once(client, 'timeout'), once(peer, 'timeout')]);
    client.setTimeout(0);
    peer.setTimeout(0);
    peer.resume();
    client.end().resume();
    await once(client, 'close');
    await closed(server);
  },

  'a timeout while connecting that is not reached': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, t);
    const c = new net.Socket();
    c.setTimeout(10_000, () => t.log('client:timeout'));
    t.watch('client', c, 'connect end close');
    c.connect(port, '127.0.0.1').resume();
    await once(c, 'close');
    t.log(c.timeout);
    await closed(server);
  },

  'lookup: options by family and hints': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, t);
    const cases: object[] = [
      { family: 4 },
      { family: 'IPv4' },
      { family: 0 },
      { hints: 1024 },
      { family: 4, hints: 32 },
      { autoSelectFamily: false },
      { localAddress: '127.0.0.1' },
    ];
    for (const options of cases) {
      const lookup: Answer = (host, how, cb) => {
        t.log(host, how);
        const one = { address: '127.0.0.1', family: 4 };
        if ((how as { all?: boolean }).all) process.nextTick(cb, null, [one]);
        else process.nextTick(cb, null, one.address, one.family);
      };
      await through(net, { port, ...options }, lookup, (c) => t.watch('client', c, LIFE));
    }
    await closed(server);
  },

  'lookup: answers that are refused': async ({ net }, t) => {
    const port = await closedPort(net, t);
    const answers: unknown[][] = [
      [null, '127.0.0.1', 6.5],
      [null, 'x', 4],
      [null, undefined, undefined],
      [null, '127.0.0.1'],
      [new Error('mine')],
    ];
    for (const answer of answers) {
      const lookup: Answer = (_host, _how, cb) => process.nextTick(cb, ...answer);
      await through(net, { port, family: 4 }, lookup, (c) => t.watch('client', c, LIFE));
    }
    const lists: unknown[][] = [
      [null, [{ address: 'x', family: 4 }]],
      [null, [{ address: '127.0.0.1', family: 5 }]],
      [new Error('mine too')],
    ];
    for (const answer of lists) {
      const lookup: Answer = (_host, _how, cb) => process.nextTick(cb, ...answer);
      await through(net, { port }, lookup, (c) => t.watch('client', c, LIFE));
    }
  },

  'lookup that answers at once, and one that throws': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, t);
    const sync: Answer = (_host, _how, cb) => cb(null, '127.0.0.1', 4);
    await through(net, { port, family: 4 }, sync, (c) => t.watch('client', c, LIFE));
    attempt(t, 'throws', () => {
      net.connect({
        port,
        host: 'a.b',
        lookup: () => {
          throw new Error('from lookup');
        },
      });
    });
    await closed(server);
  },

  'lookup that comes after destroy': async ({ net }, t) => {
    const port = await closedPort(net, t);
    let answer: (() => void) | null = null;
    const c = net.connect({
      port,
      host: 'slow.name',
      family: 4,
      lookup: ((_h: string, _o: unknown, cb: (...a: unknown[]) => void) => {
        answer = () => cb(null, '127.0.0.1', 4);
      }) as never,
    });
    t.watch('client', c, LIFE);
    c.destroy();
    await once(c, 'close');
    (answer as unknown as () => void)();
    await settled();
    t.log(c.destroyed, c.connecting);
  },

  'no lookup for an address': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, t);
    const lookup: Answer = () => t.log('client:asked');
    await through(net, { port, host: '127.0.0.1' }, lookup, (c) => t.watch('client', c, LIFE));
    await closed(server);
  },

  'happy eyeballs: both families, the second answers': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, t);
    const lookup: Answer = (_h, _o, cb) =>
      process.nextTick(cb, null, [
        { address: '::1', family: 6 },
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.1', family: 4 },
        { address: 'nonsense', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]);
    const c = await through(net, { port }, lookup, (s) =>
      t.watch('client', s, 'lookup connectionAttempt connect end close'),
    );
    t.log((c as unknown as Record<string, unknown>)['autoSelectFamilyAttemptedAddresses']);
    await closed(server);
  },

  'happy eyeballs: the error of all': async ({ net }, t) => {
    const port = await closedPort(net, t);
    const lookup: Answer = (_h, _o, cb) =>
      process.nextTick(cb, null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    await through(net, { port, autoSelectFamily: true }, lookup, (c) => {
      t.watch('client', c, 'connectionAttempt connectionAttemptFailed close');
      c.on('error', (e) => {
        t.log('client:error', e.name, e.message, (e as NodeJS.ErrnoException).code);
        for (const one of (e as AggregateError).errors) t.log('client:one', one);
      });
    });
  },

  'the defaults of autoSelectFamily': async ({ net }, t) => {
    const before = net.getDefaultAutoSelectFamily();
    const ms = net.getDefaultAutoSelectFamilyAttemptTimeout();
    t.log(before, ms);
    net.setDefaultAutoSelectFamily(false);
    net.setDefaultAutoSelectFamilyAttemptTimeout(5);
    t.log(net.getDefaultAutoSelectFamily(), net.getDefaultAutoSelectFamilyAttemptTimeout());
    const lookup: Answer = (host, how, cb) => {
      t.log(host, how);
      process.nextTick(cb, null, '127.0.0.1', 4);
    };
    const port = await closedPort(net, t);
    await through(net, { port }, lookup, (c) => t.watch('client', c, LIFE));
    attempt(t, 'family', () => net.setDefaultAutoSelectFamily('x' as unknown as boolean));
    attempt(t, 'timeout', () => net.setDefaultAutoSelectFamilyAttemptTimeout(0));
    net.setDefaultAutoSelectFamily(before);
    net.setDefaultAutoSelectFamilyAttemptTimeout(ms);
  },

  'localAddress and localPort are what the server sees': async ({ net }, t) => {
    const free = await closedPort(net, t);
    const { server, client, peer } = await joined(
      net,
      t,
      {},
      {
        localAddress: '127.0.0.3',
        localPort: free,
      },
    );
    t.log(client.localAddress, client.localPort, peer.remoteAddress, peer.remotePort);
    peer.resetAndDestroy();
    client.on('error', () => {});
    await once(client, 'close');
    await closed(server);
  },

  'localAddress that is none of ours, or of the other family': async ({ net }, t) => {
    const port = await closedPort(net, t);
    for (const local of [
      { localAddress: '192.0.2.9' },
      { localAddress: '192.0.2.9', localPort: 1234 },
      { localAddress: '::1' },
    ]) {
      const c = net.connect({ port, host: '127.0.0.1', ...local });
      t.watch('client', c, 'connectionAttempt connectionAttemptFailed connect error close');
      await once(c, 'close');
    }
    attempt(t, 'name', () => net.connect({ port, localAddress: 'localhost' }));
    attempt(t, 'port', () =>
      net.connect({ port, localPort: 'x' } as unknown as net.NetConnectOpts),
    );
  },

  'connect: its forms': async ({ net }, t) => {
    const server = net.createServer((s) => s.end());
    const port = await listening(server, t);
    const forms: ((heard: () => void) => net.Socket)[] = [
      (heard) => net.connect(port, '127.0.0.1', heard),
      (heard) => net.connect(String(port) as unknown as number, '127.0.0.1', heard),
      (heard) => net.createConnection({ port, host: '127.0.0.1' }, heard),
      (heard) => new net.Socket().connect(port, '127.0.0.1', heard),
      (heard) => new net.Socket().connect({ port, host: '127.0.0.1' }, heard),
      (heard) =>
        new (net as unknown as { Stream: typeof net.Socket }).Stream().connect(
          port,
          '127.0.0.1',
          heard,
        ),
    ];
    for (const form of forms) {
      const c = form(() => t.log('client:callback'));
      t.watch('client', c, LIFE);
      c.resume();
      await once(c, 'close');
    }
    await closed(server);
  },

  'connect: what is refused at once': async ({ net }, t) => {
    const bad: unknown[][] = [
      [],
      [null],
      [undefined],
      [{}],
      [{ port: null }],
      [{ port: Number.NaN }],
      [{ port: '' }],
      [{ port: ' ' }],
      [{ port: '1x' }],
      [{ port: 65_536, host: 'x' }],
      [{ host: 'localhost' }],
      [() => {}],
      [[]],
      [{ port: 1, objectMode: true }],
      [{ port: 1, keepAliveInitialDelay: 'x' }],
      [{ port: 1, family: 7, host: 'localhost' }],
      [{ path: 7 }],
    ];
    for (const args of bad) {
      attempt(t, JSON.stringify(args), () => {
        const c = (net.connect as (...a: unknown[]) => net.Socket)(...args);
        c.on('error', () => {}).destroy();
      });
    }
    await settled();
  },

  'noDelay and keepAlive reach the connection once': async ({ net }, t) => {
    const server = net.createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 5000,
    });
    const port = await listening(server, t);
    t.log((server as unknown as Record<string, unknown>)['keepAliveInitialDelay']);
    const c = net.connect({ port, host: '127.0.0.1', noDelay: true, keepAlive: true });
    const [peer] = (await once(server, 'connection')) as [net.Socket];
    for (const s of [c, peer]) {
      t.log(s.setNoDelay() === s, s.setNoDelay(true) === s, s.setNoDelay(false) === s);
      t.log(s.setKeepAlive() === s, s.setKeepAlive(true, 1) === s, s.setKeepAlive(true, 1e6) === s);
    }
    peer.resume();
    c.end().resume();
    await once(c, 'close');
    t.log(c.setNoDelay() === c, c.setKeepAlive(true) === c);
    attempt(t, 'server', () => net.createServer({ keepAliveInitialDelay: '1' } as object));
    await closed(server);
  },
};
