// System calls of a script on the core's Berkeley-like sockets. A call that would block answers
// null and is tried again whenever something has happened, until its time is up.

import { Code } from '../../../src/base/code.ts';
import { firstWrong } from '../../../src/sim/stream.ts';
import { Poll, type StreamSocket } from '../../../src/socket/stream-socket.ts';
import { pattern, STREAM_KEY } from '../script-peer.ts';
import type { PdBench } from './bench.ts';
import { CONSTANTS, Msg, PollBit, So } from './constants.ts';
import { NotHere } from './cursor.ts';
import {
  Descriptor,
  isNumber,
  listOf,
  numberOf,
  type Outcome,
  octetsOf,
  structOf,
  textOf,
} from './descriptors.ts';
import { Epoll, type Readiness } from './epoll.ts';
import type { PdCall, Value } from './script-file.ts';
import { getOption, setOption } from './socket-options.ts';

type Args = readonly Value[];
/** A call begun: `attempt` is repeated while it answers null. */
type Attempt = () => Outcome;
type Call = (calls: PdCalls, args: Args, wanted: PdCall) => Attempt;

export class PdCalls {
  readonly bench: PdBench;
  readonly #files = new Map<number, Descriptor>();
  readonly epolls = new Map<number, Epoll>();
  /** The socket that %{ }% blocks look at. */
  last: Descriptor | null = null;

  constructor(bench: PdBench) {
    this.bench = bench;
  }

  begin(call: PdCall): Attempt {
    const found = CALLS[call.name];
    if (found === undefined) throw new NotHere(`no call ${call.name}`);
    return found(this, call.args, call);
  }

  file(v: Value | undefined): Descriptor {
    const found = isNumber(v) ? this.#files.get(v) : undefined;
    if (found === undefined) throw new NotHere(`no descriptor ${String(v)}`);
    return found;
  }

  open(n: number | null, socket: StreamSocket, nonblocking: boolean): number {
    if (n === null || n < 0) throw new Error('a new socket needs a number of its own');
    const d = new Descriptor(socket, nonblocking);
    this.#files.set(n, d);
    this.last = d;
    return n;
  }

  forget(v: Value | undefined): void {
    if (isNumber(v)) this.#files.delete(v);
  }

  /** Something has happened: what is not ready any more may come as an edge again. */
  observe(): void {
    for (const epoll of this.epolls.values()) epoll.observe(readiness(this));
  }

  /** Lets the stack act on what a call did, as the kernel does within the call. */
  settle(n: number): number {
    this.bench.drain();
    return n;
  }
}

/** Would block: for ever in a blocking call. */
function blocking(d: Descriptor, flags: number, n: number): Outcome {
  return n === Code.EAGAIN && !d.nonblocking && (flags & Msg.MSG_DONTWAIT) === 0 ? null : n;
}

/** The port of a sockaddr of either family. */
function portOf(v: Value | undefined): Value | undefined {
  const fields = structOf(v)?.fields;
  return fields?.get('sin_port') ?? fields?.get('sin6_port');
}

function once(n: () => number): Attempt {
  return n;
}

const SOCKET: Call = (calls, args, wanted) => {
  const type = numberOf(args[1], 1);
  if ((type & 0xff) !== CONSTANTS.SOCK_STREAM) throw new NotHere('only SOCK_STREAM');
  const nonblocking = (type & 0o4000) !== 0;
  return once(() => calls.open(wanted.result, calls.bench.stack.stream(), nonblocking));
};

const BIND: Call = (calls, args) => {
  const d = calls.file(args[0]);
  const port = portOf(args[1]);
  return once(() => d.socket.bind(calls.bench.any, numberOf(port, calls.bench.bindPort)));
};

const LISTEN: Call = (calls, args) => {
  const d = calls.file(args[0]);
  d.listening = true;
  return once(() => d.socket.listen(numberOf(args[1], 1)));
};

const ACCEPT: Call = (calls, args, wanted) => {
  const d = calls.file(args[0]);
  const flags = wanted.name === 'accept4' ? numberOf(args[3], 0) : 0;
  return () => {
    const child = d.socket.accept();
    if (typeof child === 'number') return blocking(d, 0, child);
    const n = calls.open(wanted.result, child, (flags & 0o4000) !== 0);
    return calls.settle(n);
  };
};

const CONNECT: Call = (calls, args) => {
  const d = calls.file(args[0]);
  const port = numberOf(portOf(args[1]), calls.bench.connectPort);
  let begun = false;
  return () => {
    if (!begun) {
      begun = true;
      const idle = d.socket.handle === null;
      const code = calls.settle(d.socket.connect(calls.bench.remote, port));
      if (code !== 0) return code;
      if (!idle) return code;
      calls.bench.beginConnect(port);
      calls.last = d;
    }
    if (d.nonblocking) return Code.EINPROGRESS;
    const poll = d.socket.poll();
    if ((poll & (Poll.ERR | Poll.HUP)) !== 0) return d.socket.takeError();
    return (poll & Poll.OUT) !== 0 ? 0 : null;
  };
};

function sendCall(calls: PdCalls, d: Descriptor, len: number, flags: number): Attempt {
  let taken = 0;
  let begun = false;
  return () => {
    if ((flags & Msg.MSG_FASTOPEN) !== 0 && !begun) {
      begun = true;
      calls.bench.beginConnect(calls.bench.connectPort);
      calls.last = d;
      const n = d.socket.connectWith(
        calls.bench.remote,
        calls.bench.connectPort,
        pattern(d.written, len),
      );
      if (n > 0) {
        d.written += n;
        taken += n;
      }
      calls.settle(n);
      // the rest waits for the handshake
      if (d.nonblocking || taken >= len || (n < 0 && n !== Code.EINPROGRESS)) return n;
    }
    for (let i = 0; i < 10_000; i++) {
      const o = { urgent: (flags & Msg.MSG_OOB) !== 0, more: (flags & Msg.MSG_MORE) !== 0 };
      const n = d.socket.send(pattern(d.written, len - taken), o);
      calls.settle(n);
      if (n >= 0) {
        taken += n;
        d.written += n;
        if (taken >= len || d.nonblocking) return taken;
        continue;
      }
      if (taken > 0 && n !== Code.EAGAIN) return taken;
      return taken > 0 && d.nonblocking ? taken : blocking(d, flags, n);
    }
    throw new Error('send without end');
  };
}

const SEND: Call = (calls, args, wanted) => {
  const d = calls.file(args[0]);
  if (wanted.name === 'writev') return sendCall(calls, d, octetsOf(args[1]), 0);
  if (wanted.name === 'sendmsg') {
    const length = octetsOf(structOf(args[1])?.fields.get('msg_iov'));
    return sendCall(calls, d, length, numberOf(args[2], 0));
  }
  return sendCall(calls, d, numberOf(args[2], 0), numberOf(args[3], 0));
};

function receiveCall(calls: PdCalls, d: Descriptor, len: number, flags: number): Attempt {
  return () => {
    const to = new Uint8Array(len);
    const peek = (flags & Msg.MSG_PEEK) !== 0;
    const all = (flags & Msg.MSG_WAITALL) !== 0 && !d.nonblocking;
    const n = d.socket.receive(to, { peek, all });
    if (n > 0) {
      const wrong = firstWrong(STREAM_KEY, d.readTo, to, 0, n);
      if (wrong >= 0) throw new Error(`octet ${d.readTo + wrong} that was read is wrong`);
      if (!peek) d.readTo += n;
    }
    calls.settle(n);
    return blocking(d, flags, n);
  };
}

const RECEIVE: Call = (calls, args, wanted) => {
  const d = calls.file(args[0]);
  if (wanted.name === 'readv') return receiveCall(calls, d, octetsOf(args[1]), 0);
  if (wanted.name === 'recvmsg') {
    const length = octetsOf(structOf(args[1])?.fields.get('msg_iov'));
    return receiveCall(calls, d, length, numberOf(args[2], 0));
  }
  return receiveCall(calls, d, numberOf(args[2], 0), numberOf(args[3], 0));
};

const SHUTDOWN: Call = (calls, args) => {
  const d = calls.file(args[0]);
  return once(() => calls.settle(d.socket.shutdown(numberOf(args[1], 2))));
};

/** With SO_LINGER and a time, close waits until everything has been acknowledged. */
const CLOSE: Call = (calls, args) => {
  const d = calls.file(args[0]);
  const until = calls.bench.elapsedUs + Math.max(0, d.lingerS) * 1e6;
  calls.forget(args[0]);
  let begun = false;
  return () => {
    if (!begun) {
      begun = true;
      d.socket.close();
      calls.settle(0);
    }
    if (d.lingerS <= 0 || d.nonblocking || !d.socket.lingers) return 0;
    return calls.bench.elapsedUs >= until ? 0 : null;
  };
};

const POLL_BITS: readonly (readonly [number, number])[] = [
  [Poll.IN, PollBit.POLLIN | PollBit.POLLRDNORM],
  [Poll.OUT, PollBit.POLLOUT | PollBit.POLLWRNORM],
  [Poll.ERR, PollBit.POLLERR],
  [Poll.HUP, PollBit.POLLHUP],
  [Poll.RDHUP, PollBit.POLLRDHUP],
];

function revents(s: StreamSocket, events: number): number {
  const ready = s.poll();
  let bits = 0;
  for (const [ours, theirs] of POLL_BITS) if ((ready & ours) !== 0) bits |= theirs;
  return bits & (events | PollBit.POLLERR | PollBit.POLLHUP);
}

/** poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 100) */
const POLL: Call = (calls, args) => {
  const entries = listOf(args[0]).map((entry) => structOf(entry)?.fields);
  const timeout = numberOf(args[2], 0);
  const until = timeout < 0 ? Infinity : calls.bench.elapsedUs + timeout * 1000;
  return () => {
    const got = entries.map((fields) => {
      return revents(calls.file(fields?.get('fd')).socket, numberOf(fields?.get('events'), 0));
    });
    const ready = got.filter((bits) => bits !== 0).length;
    if (ready === 0 && calls.bench.elapsedUs < until) return null;
    entries.forEach((fields, i) => {
      const wanted = numberOf(fields?.get('revents'), got[i] as number);
      if (wanted !== got[i]) throw new Error(`revents is ${got[i]?.toString(16)}`);
    });
    return ready;
  };
};

const EPOLL_CREATE: Call = (calls, _args, wanted) => {
  if (wanted.result === null) throw new Error('an epoll needs a number of its own');
  const n = wanted.result;
  return once(() => {
    calls.epolls.set(n, new Epoll());
    return n;
  });
};

function epollOf(calls: PdCalls, v: Value | undefined): Epoll {
  const found = calls.epolls.get(numberOf(v, -1));
  if (found === undefined) throw new NotHere(`no epoll ${String(v)}`);
  return found;
}

function readiness(calls: PdCalls): (fd: number) => Readiness {
  return (fd) => {
    const d = calls.file(fd);
    return { bits: revents(d.socket, -1), octets: d.readTo + d.socket.unread };
  };
}

const EPOLL_CTL: Call = (calls, args) => {
  const epoll = epollOf(calls, args[0]);
  const events = numberOf(structOf(args[3])?.fields.get('events'), 0);
  return once(() => {
    const done = epoll.control(numberOf(args[1], 0), numberOf(args[2], -1), events);
    return done ? 0 : Code.ENOENT;
  });
};

/** epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 100): one event is compared. */
const EPOLL_WAIT: Call = (calls, args) => {
  const epoll = epollOf(calls, args[0]);
  const timeout = numberOf(args[3], 0);
  const until = timeout < 0 ? Infinity : calls.bench.elapsedUs + timeout * 1000;
  const fields = structOf(args[1])?.fields;
  return () => {
    const found = epoll.next(readiness(calls));
    if (found === null) return calls.bench.elapsedUs < until ? null : 0;
    const wanted = numberOf(fields?.get('events'), found.events);
    if (wanted !== found.events) throw new Error(`epoll_wait: events ${found.events}`);
    const fd = numberOf(fields?.get('fd'), found.fd);
    if (fd !== found.fd) throw new Error(`epoll_wait: descriptor ${found.fd}`);
    return 1;
  };
};

const FCNTL: Call = (calls, args) => {
  const d = calls.file(args[0]);
  return once(() => {
    if (numberOf(args[1], 0) === CONSTANTS.F_GETFL) return d.nonblocking ? 0o4002 : 2;
    d.nonblocking = (numberOf(args[2], 0) & 0o4000) !== 0;
    return 0;
  });
};

const IOCTL: Call = (calls, args) => {
  const d = calls.file(args[0]);
  return once(() => {
    const out = numberOf(args[1], 0) === CONSTANTS.SIOCOUTQ;
    const got = out ? d.socket.unacknowledged : d.socket.unread;
    const wanted = numberOf(args[2], got);
    if (wanted !== got) throw new Error(`ioctl answers ${got}`);
    return 0;
  });
};

const SETSOCKOPT: Call = (calls, args) => {
  const d = calls.file(args[0]);
  return once(() =>
    calls.settle(setOption(d, numberOf(args[1], 0), numberOf(args[2], 0), args[3])),
  );
};

/** Sizes of buffers are each stack's own affair. */
const SIZES: ReadonlySet<number> = new Set([So.SO_RCVBUF, So.SO_SNDBUF]);

const GETSOCKOPT: Call = (calls, args) => {
  const d = calls.file(args[0]);
  return once(() => {
    const wanted = textOf(args[3]) ?? numberOf(args[3], Number.NaN);
    const sizes = numberOf(args[1], 0) === CONSTANTS.SOL_SOCKET && SIZES.has(numberOf(args[2], 0));
    if (sizes && calls.bench.loose) return 0;
    const got = getOption(d, numberOf(args[1], 0), numberOf(args[2], 0));
    const compare = typeof wanted === 'string' || !Number.isNaN(wanted);
    if (compare && got !== wanted) throw new Error(`getsockopt answers ${got}`);
    return 0;
  });
};

const CALLS: Readonly<Record<string, Call>> = {
  socket: SOCKET,
  bind: BIND,
  listen: LISTEN,
  accept: ACCEPT,
  accept4: ACCEPT,
  connect: CONNECT,
  read: RECEIVE,
  readv: RECEIVE,
  recv: RECEIVE,
  recvfrom: RECEIVE,
  recvmsg: RECEIVE,
  write: SEND,
  writev: SEND,
  send: SEND,
  sendto: SEND,
  sendmsg: SEND,
  shutdown: SHUTDOWN,
  close: CLOSE,
  poll: POLL,
  epoll_create: EPOLL_CREATE,
  epoll_create1: EPOLL_CREATE,
  epoll_ctl: EPOLL_CTL,
  epoll_wait: EPOLL_WAIT,
  fcntl: FCNTL,
  ioctl: IOCTL,
  setsockopt: SETSOCKOPT,
  getsockopt: GETSOCKOPT,
};
