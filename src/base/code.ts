// Error codes as data: Linux's errno values, negative, as Node and libuv report them.
// The core hands these numbers up; node/errors.ts makes Node's Error objects of them.

export const Code = {
  NONE: 0,
  EPERM: -1,
  ENOENT: -2,
  EAGAIN: -11,
  ENOMEM: -12,
  EACCES: -13,
  EBUSY: -16,
  ENODEV: -19,
  EINVAL: -22,
  EPIPE: -32,
  EBADFD: -77,
  EDESTADDRREQ: -89,
  EMSGSIZE: -90,
  ENOPROTOOPT: -92,
  EPROTONOSUPPORT: -93,
  EOPNOTSUPP: -95,
  EAFNOSUPPORT: -97,
  EADDRINUSE: -98,
  EADDRNOTAVAIL: -99,
  ENETDOWN: -100,
  ENETUNREACH: -101,
  ECONNABORTED: -103,
  ECONNRESET: -104,
  ENOBUFS: -105,
  EISCONN: -106,
  ENOTCONN: -107,
  ETIMEDOUT: -110,
  ECONNREFUSED: -111,
  EHOSTUNREACH: -113,
  EALREADY: -114,
  EINPROGRESS: -115,
  ECANCELED: -125,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

const names = new Map<number, string>(Object.entries(Code).map(([name, value]) => [value, name]));

/** `-111` → `'ECONNREFUSED'`; a number without a name → `'UNKNOWN'`. */
export function codeName(code: number): string {
  return names.get(code) ?? 'UNKNOWN';
}

/** What a core call throws at its caller: Node's fields, and a message in Node's form. */
export class CodeError extends Error {
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;
  readonly address: string | undefined;
  readonly port: number | undefined;
  constructor(errno: number, syscall: string, address?: string, port?: number) {
    const code = codeName(errno);
    const where = address === undefined ? '' : ` ${address}${port === undefined ? '' : `:${port}`}`;
    super(`${syscall} ${code}${where}`);
    this.errno = errno;
    this.code = code;
    this.syscall = syscall;
    this.address = address;
    this.port = port;
  }
}
