// Node's Error objects from the core's codes: fields (`code errno syscall address port`) and the
// message texts that programs and Node's own modules compare with, and our own ERR_PORTSIDE_*.

import { getSystemErrorMap, inspect } from 'node:util';
import { codeName } from '../base/code.ts';

/** The fields that Node puts on a system error. */
export interface SystemError extends Error {
  errno: number | undefined;
  code: string;
  syscall: string;
  address?: string;
  port?: number;
  localAddress?: string;
  localPort?: number;
  hostname?: string;
}

const texts = getSystemErrorMap();

/** `-98` → `'EADDRINUSE'`. */
export function errnoName(errno: number): string {
  const known = texts.get(errno);
  return known === undefined ? codeName(errno) : known[0];
}

function where(address?: string | null, port?: number | null): string {
  if (port && port > 0) return ` ${address}:${port}`;
  return address ? ` ${address}` : '';
}

function systemError(message: string, errno: number, syscall: string): SystemError {
  const error = new Error(message) as SystemError;
  error.errno = errno;
  error.code = errnoName(errno);
  error.syscall = syscall;
  return error;
}

/** `read ECONNRESET`. */
export function errnoError(errno: number, syscall: string): SystemError {
  return systemError(`${syscall} ${errnoName(errno)}`, errno, syscall);
}

/** `connect ECONNREFUSED 127.0.0.1:1 - Local (10.0.0.1:9)`; `local` is optional. */
export function hostPortError(
  errno: number,
  syscall: string,
  address?: string,
  port?: number,
  local?: string,
): SystemError {
  const details = `${where(address, port)}${local === undefined ? '' : ` - Local (${local})`}`;
  const error = systemError(`${syscall} ${errnoName(errno)}${details}`, errno, syscall);
  if (address !== undefined) error.address = address;
  if (port) error.port = port;
  return error;
}

/** `listen EADDRINUSE: address already in use 127.0.0.1:80`. */
export function listenError(errno: number, address?: string, port?: number): SystemError {
  const text = texts.get(errno)?.[1] ?? 'unknown error';
  const error = systemError(
    `listen ${errnoName(errno)}: ${text}${where(address, port)}`,
    errno,
    'listen',
  );
  if (address !== undefined) error.address = address;
  if (port) error.port = port;
  return error;
}

/** libuv's UV_EAI_NONAME, which Node calls ENOTFOUND, and UV_EAI_AGAIN. */
const NAME_ERRNO = { ENOTFOUND: -3008, EAI_AGAIN: -3001 } as const;

/** `getaddrinfo ENOTFOUND name`, `getnameinfo EAI_AGAIN 192.0.2.1`. */
export function nameError(
  code: keyof typeof NAME_ERRNO,
  syscall: 'getaddrinfo' | 'getnameinfo',
  hostname: string,
): SystemError {
  const error = systemError(`${syscall} ${code} ${hostname}`, NAME_ERRNO[code], syscall);
  error.code = code;
  error.hostname = hostname;
  return error;
}

/** Every address of a name has failed: Node's AggregateError with the first one's code. */
export function aggregateError(errors: SystemError[]): AggregateError {
  const error = new AggregateError(errors, '') as AggregateError & { code: string | undefined };
  error.code = errors[0]?.code;
  return error;
}

type ErrorClass = new (message: string) => Error;

/** An error of Node's kind: `code` on it and in the first line of its stack. */
export function coded(Base: ErrorClass, code: string, message: string): Error & { code: string } {
  const error = new Base(message) as Error & { code: string };
  const name = error.name;
  // The stack keeps the name that stood there when it was first read: Node does the same.
  Object.defineProperty(error, 'name', {
    value: `${name} [${code}]`,
    configurable: true,
    enumerable: false,
    writable: true,
  });
  void error.stack;
  delete (error as { name?: string }).name;
  error.code = code;
  Object.defineProperty(error, 'toString', {
    value: () => `${name} [${code}]: ${error.message}`,
    configurable: true,
    enumerable: false,
    writable: true,
  });
  return error;
}

function received(value: unknown): string {
  if (value === null || value === undefined) return ` Received ${value}`;
  if (typeof value === 'function') return ` Received function ${value.name}`;
  if (typeof value === 'object') {
    const name = (value as object).constructor?.name;
    return name ? ` Received an instance of ${name}` : ` Received ${inspect(value, { depth: -1 })}`;
  }
  let text = inspect(value, { colors: false });
  if (text.length > 28) text = `${text.slice(0, 25)}...`;
  return ` Received type ${typeof value} (${text})`;
}

/** ERR_INVALID_ARG_TYPE. `expected` as Node words it: `of type number`, `an instance of Buffer`. */
export function invalidType(name: string, expected: string, value: unknown): Error {
  const kind = name.includes('.') ? 'property' : 'argument';
  const message = `The "${name}" ${kind} must be ${expected}.${received(value)}`;
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', message);
}

/** ERR_INVALID_ARG_VALUE. */
export function invalidValue(name: string, value: unknown, reason = 'is invalid'): Error {
  const kind = name.includes('.') ? 'property' : 'argument';
  let text = inspect(value);
  if (text.length > 128) text = `${text.slice(0, 128)}...`;
  const message = `The ${kind} '${name}' ${reason}. Received ${text}`;
  return coded(TypeError, 'ERR_INVALID_ARG_VALUE', message);
}

/** ERR_OUT_OF_RANGE. */
export function outOfRange(name: string, range: string, value: unknown): Error {
  const text = typeof value === 'number' ? String(value) : inspect(value);
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${text}`;
  return coded(RangeError, 'ERR_OUT_OF_RANGE', message);
}

/** ERR_SOCKET_BAD_PORT. */
export function badPort(name: string, value: unknown): Error {
  const message = `${name} should be >= 0 and < 65536.${received(value)}.`;
  return coded(RangeError, 'ERR_SOCKET_BAD_PORT', message);
}

/** The host has been closed: what waits, and every later call. */
export function hostClosed(): Error & { code: string } {
  return coded(Error, 'ERR_PORTSIDE_HOST_CLOSED', 'The host has been closed');
}

/** A path, a descriptor or another thing of the kernel's was asked of a user-space host. */
export function unsupported(what: string): Error & { code: string } {
  return coded(Error, 'ERR_PORTSIDE_NOT_SUPPORTED', `${what} is not supported by a portside host`);
}

/** A wrong option of `createHost`; `name` is its path, `hosts.addresses[0]`. */
export function invalidOption(name: string, reason: string, value: unknown): Error {
  return coded(
    TypeError,
    'ERR_PORTSIDE_INVALID_OPTION',
    `The option '${name}' ${reason}. Received ${inspect(value)}`,
  );
}
