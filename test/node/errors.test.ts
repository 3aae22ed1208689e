import * as net from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  aggregateError,
  badPort,
  errnoError,
  hostClosed,
  hostPortError,
  invalidType,
  invalidValue,
  listenError,
  nameError,
  outOfRange,
} from '../../src/node/errors.ts';

describe("Node's error objects from codes", () => {
  const table: [string, Error, Record<string, unknown>][] = [
    [
      'a refused connect',
      hostPortError(-111, 'connect', '127.0.0.1', 1),
      {
        message: 'connect ECONNREFUSED 127.0.0.1:1',
        code: 'ECONNREFUSED',
        errno: -111,
        syscall: 'connect',
        address: '127.0.0.1',
        port: 1,
      },
    ],
    [
      'an unreachable net with the local end',
      hostPortError(-101, 'connect', '192.0.2.1', 80, '0.0.0.0:0'),
      { message: 'connect ENETUNREACH 192.0.2.1:80 - Local (0.0.0.0:0)', code: 'ENETUNREACH' },
    ],
    [
      'a foreign address without a port',
      hostPortError(-99, 'bind', '192.0.2.1', 0),
      { message: 'bind EADDRNOTAVAIL 192.0.2.1', address: '192.0.2.1', port: undefined },
    ],
    [
      'a port in use',
      listenError(-98, '127.0.0.1', 80),
      {
        message: 'listen EADDRINUSE: address already in use 127.0.0.1:80',
        code: 'EADDRINUSE',
        errno: -98,
        syscall: 'listen',
        address: '127.0.0.1',
        port: 80,
      },
    ],
    [
      'a reset while reading',
      errnoError(-104, 'read'),
      { message: 'read ECONNRESET', code: 'ECONNRESET', errno: -104, syscall: 'read' },
    ],
    [
      'a name that is not there',
      nameError('ENOTFOUND', 'getaddrinfo', 'no.such'),
      {
        message: 'getaddrinfo ENOTFOUND no.such',
        code: 'ENOTFOUND',
        errno: -3008,
        syscall: 'getaddrinfo',
        hostname: 'no.such',
      },
    ],
    [
      'our own',
      hostClosed(),
      { message: 'The host has been closed', code: 'ERR_PORTSIDE_HOST_CLOSED' },
    ],
  ];
  it.each(table)('%s', (_name, error, fields) => {
    for (const [key, value] of Object.entries(fields)) {
      expect((error as unknown as Record<string, unknown>)[key], key).toBe(value);
    }
    expect(error).toBeInstanceOf(Error);
  });

  it('carries all attempts in an AggregateError with the first code', () => {
    const errors = [hostPortError(-111, 'connect', 'a', 1), hostPortError(-110, 'connect', 'b', 1)];
    const error = aggregateError(errors);
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.errors).toEqual(errors);
    expect((error as unknown as { code: string }).code).toBe('ECONNREFUSED');
  });
});

/** What Node itself throws for the same mistake. */
function thrown(run: () => void): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe('argument errors equal those that Node throws', () => {
  const socket = new net.Socket();
  const listen = (options: object) => () => net.createServer().listen(options);
  const connect = (options: object) => () => {
    socket.connect(options as net.NetConnectOpts);
  };
  const timeout = 'options.autoSelectFamilyAttemptTimeout';
  const table: [string, Error, () => void][] = [
    ['port', badPort('options.port', 'x'), listen({ port: 'x' })],
    ['port of a client', badPort('Port', 1.5), connect({ port: 1.5 })],
    [
      'type',
      invalidType('options.localPort', 'of type number', '1'),
      connect({ port: 1, localPort: '1' }),
    ],
    [
      'type of an object',
      invalidType('options.port', 'one of type number or string', []),
      connect({ port: [] }),
    ],
    ['value', invalidValue('options', { port: true }), listen({ port: true })],
    [
      'range',
      outOfRange(timeout, '>= 1 && <= 2147483647', 0),
      connect({ port: 1, autoSelectFamilyAttemptTimeout: 0 }),
    ],
  ];
  it.each(table)('%s', (_name, ours, mistake) => {
    const theirs = thrown(mistake);
    expect(ours.message).toBe(theirs.message);
    expect(ours.name).toBe(theirs.name);
    expect(String(ours)).toBe(String(theirs));
    expect((ours as NodeJS.ErrnoException).code).toBe((theirs as NodeJS.ErrnoException).code);
    expect(Object.getPrototypeOf(ours).constructor.name).toBe(theirs.constructor.name);
    // Node puts the code there outside of vitest, which prepares stacks itself.
    expect(ours.stack?.split('\n')[0]).toBe(String(theirs));
    expect(Object.keys(ours)).toEqual(Object.keys(theirs));
  });
});
