// What FreeBSD's scripts set: `sysctl -w net.inet.tcp.sack.enable=1` and the like, as knobs of
// stack/config.ts. Names from FreeBSD's tcp(4).

import { cubic } from '../../../src/tcp/congestion/cubic.ts';
import { newReno } from '../../../src/tcp/congestion/newreno.ts';
import type { TcpConfig } from '../../../src/tcp/tcp.ts';
import { NotHere } from './cursor.ts';

type Setter = (c: TcpConfig, value: number, text: string) => void;

/** Caches, logs and buffers of the other stack, and what portside always does. */
const WITHOUT_EFFECT = new Set(
  `abc_l_var always_keepalive blackhole do_lrd do_prr do_tcpdrain drop_synfin finwait2_timeout
  icmp_may_rst isn_reseed_interval newcwv nolocaltimewait path_mtu_discovery recvbuf_auto recvbuf_inc
  recvbuf_max require_unique_port rexmit_drop_options rexmit_slop rfc3042 rfc3390 rfc3465 rfc6675_pipe
  sack.globalmaxholes sack.lrd sack.maxholes sack.revised sendbuf_auto sendbuf_inc sendbuf_max
  tcbhashsize tolerate_missing_ts ts_offset_per_conn`.split(/\s+/),
);
const WITHOUT_EFFECT_AT_ALL = /^(hostcache|log|reass|fastopen)\./;

/** Only this value is what portside does; scripts for another do not apply. */
const ONLY: Readonly<Record<string, number>> = {
  insecure_rst: 0,
  insecure_syn: 0,
  insecure_ack: 0,
  syncookies_only: 0,
  'ecn.generalized': 0,
  ack_war_cnt: 5,
  ack_war_timewindow: 1000,
};

const SETTERS: Readonly<Record<string, Setter>> = {
  'cc.algorithm': (c, _value, text) => {
    if (text === 'newreno') c.controller = newReno;
    else if (text === 'cubic') c.controller = cubic;
    else throw new NotHere(`congestion control ${text}`);
  },
  'ecn.enable': (c, value, text) => {
    if (value > 2) throw new NotHere(`accurate ECN (ecn.enable ${text})`);
    c.ecn = value;
  },
  'fastopen.enable': () => {},
  'fastopen.server_enable': () => {},
  'fastopen.client_enable': () => {},
  initcwnd_segments: (c, value) => {
    c.initialCwnd = value;
  },
  msl: (c, value) => {
    c.timeWaitMs = value * 2;
  },
  recvspace: (c, value) => {
    c.rcvBufInitial = value;
  },
  sendspace: (c, value) => {
    c.sndBufInitial = value;
  },
  rexmit_min: (c, value) => {
    c.rtoMinMs = value;
  },
  rexmit_initial: (c, value) => {
    c.rtoInitialMs = value;
  },
  'sack.enable': (c, value) => {
    c.sack = value > 0;
  },
  delayed_ack: (_c, value) => {
    if (value !== 1) throw new NotHere('no delayed acknowledgments');
  },
  syncookies: (c, value) => {
    c.synCookies = value > 0;
  },
};

/** Sets `net.inet.tcp.NAME`; throws NotHere for a name that nothing stands for. */
export function setFreebsd(c: TcpConfig, name: string, text: string): void {
  const value = Number(text);
  if (name === 'rfc1323') {
    // 0 neither, 1 both, 2 window scale alone, 3 timestamps alone
    c.windowScale = value === 1 || value === 2;
    c.timestamps = value === 1 || value === 3;
    return;
  }
  const only = ONLY[name];
  if (only !== undefined) {
    if (only !== value) throw new NotHere(`sysctl ${name}=${text}`);
    return;
  }
  const setter = SETTERS[name];
  if (setter !== undefined) setter(c, value, text);
  else if (!WITHOUT_EFFECT.has(name) && !WITHOUT_EFFECT_AT_ALL.test(name))
    throw new NotHere(`sysctl ${name} is not known`);
}
