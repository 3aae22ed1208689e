// The options of a dgram handle, as node:dgram's Socket sets them: answers are libuv's, 0 or a
// negative errno. A socket that is not bound has no descriptor: EBADF.

import { isIP } from 'node:net';
import { Code } from '../base/code.ts';
import type { UdpSocket } from '../socket/udp-socket.ts';
import { answered, membership, multicastInterface, sourceMembership } from './dgram-groups.ts';
import type { Ground } from './ground.ts';

/** libuv's UV_UDP_REUSEADDR. */
export const REUSE_ADDR = 4;
export const EBADF = -9;
/** Linux's SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF, doubled already. */
const SMALLEST_RECEIVE = 2304;
const SMALLEST_SEND = 4608;

export abstract class DgramOptions {
  readonly ground: Ground;
  readonly family: 4 | 6;
  protected core: UdpSocket | null = null;
  protected closed = false;

  constructor(ground: Ground, family: 4 | 6) {
    this.ground = ground;
    this.family = family;
  }

  abstract bind(address: string, port: number, flags?: number): number;

  setBroadcast(on: number): number {
    if (this.core === null) return EBADF;
    this.core.setBroadcast(on !== 0);
    return 0;
  }

  setTTL(ttl: number): number {
    if (this.core === null) return EBADF;
    if (ttl < 1 || ttl > 255) return Code.EINVAL;
    this.core.setTtl(ttl | 0);
    return 0;
  }

  setMulticastTTL(ttl: number): number {
    const core = this.core;
    if (core === null) return EBADF;
    return ttl < 0 || ttl > 255 ? Code.EINVAL : answered(() => core.groups.setTtl(ttl | 0));
  }

  setMulticastLoopback(on: number): number {
    if (this.core === null) return EBADF;
    this.core.groups.setLoop(on !== 0);
    return 0;
  }

  setMulticastInterface(address: string): number {
    if (this.core === null) return EBADF;
    return multicastInterface(this.core, this.family, address);
  }

  addMembership(group: string, on?: string): number {
    return this.#joining(group, (core) => membership(core, this.family, true, group, on));
  }

  dropMembership(group: string, on?: string): number {
    return this.#joining(group, (core) => membership(core, this.family, false, group, on));
  }

  addSourceSpecificMembership(source: string, group: string, on?: string): number {
    const pair = [source, group] as const;
    return this.#joining(group, (core) => sourceMembership(core, this.family, true, pair, on));
  }

  dropSourceSpecificMembership(source: string, group: string, on?: string): number {
    const pair = [source, group] as const;
    return this.#joining(group, (core) => sourceMembership(core, this.family, false, pair, on));
  }

  /** As in libuv, a socket that is not bound is bound to a free port by what names an address. */
  #joining(group: string, run: (core: UdpSocket) => number): number {
    if (this.closed) return EBADF;
    if (isIP(group) === 0) return Code.EINVAL;
    if (this.core === null) {
      const code = this.bind(this.family === 6 ? '::' : '0.0.0.0', 0, REUSE_ADDR);
      if (code !== 0) return code;
    }
    return this.core === null ? EBADF : run(this.core);
  }

  /** DSCP and ECN in one octet, of every datagram that is sent. */
  setTOS(tos: number): number {
    const core = this.core;
    if (core === null) return EBADF;
    return tos < 0 || tos > 255 ? Code.EINVAL : answered(() => core.setTos(tos | 0));
  }

  setDontFragment(on: boolean): number {
    if (this.core === null) return EBADF;
    this.core.setDontFragment(on);
    return 0;
  }

  /** Linux doubles what is asked for, within bounds; a program reads that, and it is what holds. */
  bufferSize(
    size: number,
    isReceive: boolean,
    context: Record<string, unknown>,
  ): number | undefined {
    const core = this.core;
    if (core === null) return refused(context, isReceive, EBADF);
    // libuv reads an int, and a negative size is none.
    if (size > 0x7fffffff) return refused(context, isReceive, Code.EINVAL);
    if (size !== 0) {
      const most = this.ground.stack.config.udp.udpBufferMax;
      const doubled = 2 * Math.min(size, most);
      if (isReceive) core.setReceiveLimit(Math.max(doubled, SMALLEST_RECEIVE));
      else core.setSendLimit(Math.max(doubled, SMALLEST_SEND));
    }
    return isReceive ? core.receiveLimit : core.sendLimit;
  }
}

/** What Node makes ERR_SOCKET_BUFFER_SIZE of. */
function refused(context: Record<string, unknown>, isReceive: boolean, errno: number): undefined {
  Object.assign(context, {
    errno,
    code: errno === EBADF ? 'EBADF' : 'EINVAL',
    message: errno === EBADF ? 'bad file descriptor' : 'invalid argument',
    syscall: isReceive ? 'uv_recv_buffer_size' : 'uv_send_buffer_size',
  });
  return undefined;
}
