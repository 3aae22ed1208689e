// setsockopt and getsockopt of a script on StreamSocket's options.

import { Code } from '../../../src/base/code.ts';
import { Ip, So, TcpOpt } from './constants.ts';
import { NotHere } from './cursor.ts';
import { type Descriptor, numberOf, structOf, textOf } from './descriptors.ts';
import type { Value } from './script-file.ts';
import { CONTROLLERS } from './sysctl.ts';

/** Accepted and without effect: what they ask for is so anyway, or is not TCP's. */
const WITHOUT_EFFECT = new Set<string>([
  `1.${So.SO_DEBUG}`,
  `1.${So.SO_REUSEADDR}`,
  `1.${So.SO_RCVTIMEO}`,
  `1.${So.SO_SNDTIMEO}`,
  `0.${Ip.IP_MTU_DISCOVER}`,
]);

/** 0 or a negative errno; throws for an option that is not known. */
export function setOption(
  d: Descriptor,
  level: number,
  name: number,
  value: Value | undefined,
): number {
  const key = `${level}.${name}`;
  const n = numberOf(value, 0);
  d.told.set(key, n);
  if (WITHOUT_EFFECT.has(key)) return 0;
  const done =
    level === 1
      ? setSocket(d, name, n, value)
      : level === 0
        ? setIp(d, name, n)
        : setTcp(d, name, n, value);
  if (done === null) throw new NotHere(`setsockopt(${level}, ${name}) is not known`);
  return done;
}

function setSocket(
  d: Descriptor,
  name: number,
  n: number,
  value: Value | undefined,
): number | null {
  const s = d.socket;
  if (name === So.SO_REUSEPORT) s.set({ reusePort: n > 0 });
  else if (name === So.SO_KEEPALIVE) s.set({ keepAlive: n > 0 });
  else if (name === So.SO_SNDBUF || name === So.SO_SNDBUFFORCE) s.set({ sendBuffer: n });
  else if (name === So.SO_RCVBUF || name === So.SO_RCVBUFFORCE) s.set({ receiveBuffer: n });
  else if (name === So.SO_MAX_PACING_RATE) s.set({ maxPacingRate: n });
  else if (name === So.SO_RCVLOWAT) s.set({ receiveLowWater: n });
  else if (name === So.SO_LINGER) {
    const fields = structOf(value)?.fields;
    const on = numberOf(fields?.get('onoff') ?? fields?.get('l_onoff'), 0) > 0;
    d.lingerS = on ? numberOf(fields?.get('linger') ?? fields?.get('l_linger'), 0) : -1;
    s.set({ lingerMs: on ? d.lingerS * 1000 : undefined });
  } else return null;
  return 0;
}

function setIp(d: Descriptor, name: number, n: number): number | null {
  if (name === Ip.IP_TOS) d.socket.set({ tos: n });
  else if (name === Ip.IP_TTL) d.socket.set({ ttl: n });
  else return null;
  return 0;
}

function setTcp(d: Descriptor, name: number, n: number, value: Value | undefined): number | null {
  const s = d.socket;
  if (name === TcpOpt.TCP_NODELAY) s.set({ noDelay: n > 0 });
  else if (name === TcpOpt.TCP_CORK) s.set({ cork: n > 0 });
  else if (name === TcpOpt.TCP_MAXSEG) s.set({ maxSegment: n });
  else if (name === TcpOpt.TCP_KEEPIDLE) s.set({ keepAliveIdleMs: n * 1000 });
  else if (name === TcpOpt.TCP_KEEPINTVL) s.set({ keepAliveIntervalMs: n * 1000 });
  else if (name === TcpOpt.TCP_KEEPCNT) s.set({ keepAliveProbes: n });
  else if (name === TcpOpt.TCP_USER_TIMEOUT) s.set({ userTimeoutMs: n });
  else if (name === TcpOpt.TCP_QUICKACK) s.set({ quickAck: n > 0 });
  else if (name === TcpOpt.TCP_FASTOPEN || name === TcpOpt.TCP_FASTOPEN_CONNECT)
    s.set({ fastOpen: n });
  else if (name === TcpOpt.TCP_SYNCNT) s.set({ synRetries: n });
  else if (name === TcpOpt.TCP_LINGER2) s.set({ finWait2Ms: n * 1000 });
  else if (name === TcpOpt.TCP_NOTSENT_LOWAT) s.set({ notSentLowWater: n });
  else if (name === TcpOpt.TCP_WINDOW_CLAMP) s.set({ windowClamp: n });
  else if (name === TcpOpt.TCP_CONGESTION) {
    const controller = CONTROLLERS[textOf(value) ?? ''];
    if (controller === undefined) return -2;
    s.set({ controller });
  } else return null;
  return 0;
}

export function getOption(d: Descriptor, level: number, name: number): number | string {
  const key = `${level}.${name}`;
  if (key === `1.${So.SO_ERROR}`) return -d.socket.takeError();
  if (key === `1.${So.SO_ACCEPTCONN}`) return d.listening ? 1 : 0;
  if (key === `6.${TcpOpt.TCP_MAXSEG}`) return d.socket.info()?.snd_mss ?? 536;
  if (key === `6.${TcpOpt.TCP_CONGESTION}`) return d.socket.info()?.congestion ?? '';
  if (key === `6.${TcpOpt.TCP_INFO}`) return 0;
  if (key === `0.${Ip.IP_MTU}`) return d.socket.info()?.pmtu ?? Code.ENOTCONN;
  const told = d.told.get(key);
  if (told === undefined) throw new NotHere(`getsockopt(${level}, ${name}) is not known`);
  return level === 1 && (name === So.SO_SNDBUF || name === So.SO_RCVBUF) ? told * 2 : told;
}
