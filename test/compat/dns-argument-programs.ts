// Programs for node:dns and for a host's dns that need no server: arguments and what they throw,
// servers and their forms, lookup of what every machine knows.

import { promisify } from 'node:util';
import { attempt, type Program, type Transcript } from './transcript.ts';

type Loose = (...args: unknown[]) => unknown;

function loose(value: unknown): Loose {
  return value as Loose;
}

/** Calls back with a line of what came. */
function answered(
  t: Transcript,
  what: string,
  call: (done: (...args: unknown[]) => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    call((...args) => {
      t.log(what, ...args, args.length);
      resolve();
    });
  });
}

async function rejected(t: Transcript, what: string, run: () => unknown): Promise<void> {
  try {
    t.log(what, await run());
  } catch (error) {
    t.log(what, error);
  }
}

const nothing = (): void => {};

export const dnsArgumentPrograms: Record<string, Program> = {
  'lookup of addresses and of localhost': async ({ dns }, t) => {
    for (const name of ['127.0.0.1', '::1', '192.0.2.7', '2001:db8::1', '1::']) {
      await answered(t, name, (done) => dns.lookup(name, done));
      await answered(t, `${name} all`, (done) => dns.lookup(name, { all: true }, done));
      t.log(await dns.promises.lookup(name), await dns.promises.lookup(name, { all: true }));
    }
    await answered(t, 'localhost 4', (done) => dns.lookup('localhost', 4, done));
    await answered(t, 'localhost all', (done) =>
      dns.lookup('localhost', { family: 4, all: true }, done),
    );
    await answered(t, 'IPv4', (done) => dns.lookup('localhost', { family: 'IPv4' }, done));
    t.log(await dns.promises.lookup('localhost', 4));
    t.log(await dns.promises.lookup('localhost', { family: 4, all: true }));
    t.log(await dns.promises.lookup('LOCALHOST', { family: 4, order: 'ipv4first' } as object));
  },

  'lookup answers in a later tick': async ({ dns }, t) => {
    const done = answered(t, 'callback', (tell) => dns.lookup('localhost', 4, tell));
    t.log('asked');
    await done;
    const literal = answered(t, 'literal', (tell) => dns.lookup('127.0.0.1', tell));
    t.log('asked again', typeof dns.lookup('127.0.0.1', nothing));
    await literal;
  },

  'lookup with util.promisify': async ({ dns }, t) => {
    const lookup = promisify(dns.lookup);
    t.log(await lookup('127.0.0.1'), await lookup('localhost', { family: 4 }));
    t.log(await lookup('localhost', { family: 4, all: true }));
    t.log(await promisify(dns.lookupService)('127.0.0.1', 80));
  },

  'what lookup throws': async ({ dns }, t) => {
    const lookup = loose(dns.lookup);
    attempt(t, 'nothing', () => lookup());
    attempt(t, 'a number', () => lookup(1, nothing));
    attempt(t, 'no callback', () => lookup('localhost'));
    attempt(t, 'no callback but options', () => lookup('localhost', {}));
    attempt(t, 'callback a string', () => lookup('localhost', {}, 'x'));
    attempt(t, 'options a string', () => lookup('localhost', 'x', nothing));
    attempt(t, 'family 5', () => lookup('localhost', 5, nothing));
    attempt(t, 'family 5 in options', () => lookup('localhost', { family: 5 }, nothing));
    attempt(t, 'family a string', () => lookup('localhost', { family: 'x' }, nothing));
    attempt(t, 'hints', () => lookup('localhost', { hints: 1 }, nothing));
    attempt(t, 'hints a string', () => lookup('localhost', { hints: 'x' }, nothing));
    attempt(t, 'all', () => lookup('localhost', { all: 1 }, nothing));
    attempt(t, 'verbatim', () => lookup('localhost', { verbatim: 1 }, nothing));
    attempt(t, 'order', () => lookup('localhost', { order: 'x' }, nothing));
    const promised = loose(dns.promises.lookup);
    attempt(t, 'promises, a number', () => promised(1));
    attempt(t, 'promises, family', () => promised('localhost', { family: 5 }));
    attempt(t, 'promises, hints', () => promised('localhost', { hints: 1 }));
    attempt(t, 'promises, order', () => promised('localhost', { order: 1 }));
  },

  'lookup of no name': async ({ dns }, t) => {
    const lookup = loose(dns.lookup);
    for (const name of ['', null, undefined, false]) {
      await answered(t, String(name), (done) => lookup(name, done));
      await answered(t, `${name} all`, (done) => lookup(name, { all: true }, done));
      await answered(t, `${name} 6`, (done) => lookup(name, 6, done));
      await rejected(t, 'promise', () => loose(dns.promises.lookup)(name));
    }
  },

  'names of services': async ({ dns }, t) => {
    for (const port of [22, 25, 53, 80, 443, 61_234]) {
      await answered(t, String(port), (done) => dns.lookupService('127.0.0.1', port, done));
      t.log(await dns.promises.lookupService('127.0.0.1', port));
    }
    await answered(t, 'text', (done) => loose(dns.lookupService)('127.0.0.1', '80', done));
  },

  'what lookupService throws': async ({ dns }, t) => {
    const service = loose(dns.lookupService);
    attempt(t, 'nothing', () => service());
    attempt(t, 'two', () => service('127.0.0.1', 80));
    attempt(t, 'a name', () => service('localhost', 80, nothing));
    attempt(t, 'a port', () => service('127.0.0.1', 65_536, nothing));
    attempt(t, 'no port', () => service('127.0.0.1', null, nothing));
    attempt(t, 'no callback', () => service('127.0.0.1', 80, null));
    const promised = loose(dns.promises.lookupService);
    attempt(t, 'promises, nothing', () => promised());
    attempt(t, 'promises, a name', () => promised('localhost', 80));
    attempt(t, 'promises, a port', () => promised('127.0.0.1', -1));
  },

  'servers and their forms': async ({ dns }, t) => {
    const resolver = new dns.Resolver();
    const forms = [
      ['127.0.0.1'],
      ['127.0.0.1:53', '127.0.0.1:5353'],
      ['::1', '[::1]', '[::1]:5353', '[::1]:53'],
      ['192.0.2.1', '2001:db8::1'],
    ];
    for (const list of forms) {
      resolver.setServers(list);
      t.log(resolver.getServers());
    }
    const set = loose(resolver.setServers.bind(resolver));
    attempt(t, 'a name', () => set(['localhost']));
    attempt(t, 'a number', () => set([1]));
    attempt(t, 'no list', () => set('127.0.0.1'));
    attempt(t, 'nothing', () => set());
    attempt(t, 'junk', () => set(['127.0.0.1.1']));
    attempt(t, 'a port that is none', () => set(['127.0.0.1:va']));
    t.log(resolver.getServers());
  },

  'servers cannot be changed while a question is asked': async ({ dns, dgram }, t) => {
    const silent = dgram.createSocket('udp4');
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
    const { port } = silent.address();
    t.call(port, 'SILENT');
    const resolver = new dns.Resolver();
    resolver.setServers([`127.0.0.1:${port}`]);
    const end = answered(t, 'end', (done) => resolver.resolve4('www.example', done));
    attempt(t, 'set', () => resolver.setServers(['127.0.0.1']));
    t.log(resolver.getServers());
    resolver.cancel();
    await end;
    attempt(t, 'set', () => resolver.setServers(['127.0.0.1']));
    silent.close();
  },

  'what a resolver throws': async ({ dns }, t) => {
    const Resolver = dns.Resolver as unknown as new (options?: unknown) => unknown;
    for (const timeout of [-1, 0, 1, -2, 1.5, '1', null]) {
      attempt(t, `timeout ${timeout}`, () => void new Resolver({ timeout }));
    }
    for (const tries of [1, 0, -1, 1.5, 'x', null]) {
      attempt(t, `tries ${tries}`, () => void new Resolver({ tries }));
    }
    const resolver = new dns.Resolver();
    for (const name of ['resolve4', 'resolveMx', 'resolveAny', 'resolve', 'reverse'] as const) {
      const method = loose(resolver[name].bind(resolver));
      attempt(t, `${name} nothing`, () => method());
      attempt(t, `${name} a number`, () => method(1, nothing));
      attempt(t, `${name} no callback`, () => method('a.example'));
    }
    const resolve = loose(resolver.resolve.bind(resolver));
    attempt(t, 'type', () => resolve('a.example', 'HUH', nothing));
    attempt(t, 'type a number', () => resolve('a.example', 1, nothing));
    attempt(t, 'type of Object', () => resolve('a.example', 'toString', nothing));
    attempt(t, 'reverse of a name', () => resolver.reverse('a.example', nothing));
    const promises = new dns.promises.Resolver();
    await rejected(t, 'promises, a number', () => loose(promises.resolve4.bind(promises))(1));
    await rejected(t, 'promises, type', () => promises.resolve('a.example', 'HUH' as 'A'));
    await rejected(t, 'promises, reverse', () => promises.reverse('a.example'));
  },

  'names and constants of the module': async ({ dns }, t) => {
    const wanted = Object.keys(dns).filter((name) => name !== 'default');
    t.log(wanted.sort());
    t.log(Object.keys(dns.promises).sort());
    const values = dns as unknown as Record<string, unknown>;
    for (const name of wanted) {
      const value = values[name];
      t.log(name, typeof value, typeof value === 'function' ? '' : String(value));
    }
    t.log(Object.keys(new dns.Resolver()), new dns.Resolver() instanceof dns.Resolver);
    t.log(dns.getDefaultResultOrder(), dns.promises.getDefaultResultOrder());
  },

  'the default order of results': async ({ dns }, t) => {
    const before = dns.getDefaultResultOrder();
    for (const order of ['ipv4first', 'ipv6first', 'verbatim'] as const) {
      dns.setDefaultResultOrder(order as 'verbatim');
      t.log(dns.getDefaultResultOrder(), await dns.promises.lookup('localhost', { family: 4 }));
    }
    attempt(t, 'another', () => dns.setDefaultResultOrder('x' as 'verbatim'));
    dns.setDefaultResultOrder(before as 'verbatim');
  },
};
