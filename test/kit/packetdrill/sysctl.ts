// What a script's shell commands set: `sysctl -q net.ipv4.tcp_sack=0` and the like become knobs of
// stack/config.ts. Everything else that a shell would do is left out.

import type { Config } from '../../../src/stack/config.ts';
import { bbr } from '../../../src/tcp/congestion/bbr.ts';
import type { Controller } from '../../../src/tcp/congestion/controller.ts';
import { cubic } from '../../../src/tcp/congestion/cubic.ts';
import { newReno } from '../../../src/tcp/congestion/newreno.ts';
import type { TcpConfig } from '../../../src/tcp/tcp.ts';
import { NotHere } from './cursor.ts';
import { setFreebsd } from './freebsd-sysctl.ts';

export const CONTROLLERS: Readonly<Record<string, Controller>> = { cubic, bbr, reno: newReno };

/** Settings that scripts make and that change nothing here, or that portside always has. */
const WITHOUT_EFFECT = new Set([
  'tcp_abort_on_overflow',
  'tcp_autocorking',
  'tcp_available_congestion_control',
  'tcp_comp_sack_delay_ns',
  'tcp_comp_sack_nr',
  'tcp_comp_sack_slack_ns',
  'tcp_dsack',
  'tcp_ecn_fallback',
  'tcp_fack',
  'tcp_fastopen_blackhole_timeout_sec',
  'tcp_fastopen_key',
  'tcp_frto',
  'tcp_limit_output_bytes',
  'tcp_low_latency',
  'tcp_max_reordering',
  'tcp_min_tso_segs',
  'tcp_moderate_rcvbuf',
  'tcp_no_metrics_save',
  'tcp_pacing_ca_ratio',
  'tcp_pacing_ss_ratio',
  'tcp_retries1',
  'tcp_shrink_window',
  'tcp_stdurg',
  'tcp_tso_rtt_log',
  'tcp_tso_win_divisor',
  'tcp_workaround_signed_windows',
]);

type Setter = (c: TcpConfig, text: string) => void;

const number =
  (field: NumericKnob, factor = 1): Setter =>
  (c, text) => {
    c[field] = Number(text) * factor;
  };
const flag =
  (field: FlagKnob): Setter =>
  (c, text) => {
    c[field] = Number(text) > 0;
  };
type NumericKnob = {
  [K in keyof TcpConfig]: TcpConfig[K] extends number ? K : never;
}[keyof TcpConfig];
type FlagKnob = {
  [K in keyof TcpConfig]: TcpConfig[K] extends boolean ? K : never;
}[keyof TcpConfig];

const SETTERS: Readonly<Record<string, Setter>> = {
  tcp_base_mss: () => {},
  tcp_congestion_control: (c, text) => {
    c.controller = CONTROLLERS[text] ?? unknown(`congestion control ${text}`);
  },
  // 3 and 4: early retransmission is RACK's and only the tail loss probe is left to switch
  tcp_early_retrans: (c, text) => {
    c.lossProbe = Number(text) >= 3;
  },
  tcp_ecn: number('ecn'),
  tcp_fastopen: () => {},
  tcp_fin_timeout: number('finWait2Ms', 1000),
  tcp_invalid_ratelimit: number('challengeGapMs'),
  tcp_keepalive_intvl: () => {},
  tcp_keepalive_probes: () => {},
  tcp_keepalive_time: () => {},
  tcp_max_orphans: () => {},
  tcp_max_syn_backlog: number('synBacklog'),
  tcp_max_tw_buckets: number('maxTimeWait'),
  tcp_min_snd_mss: number('minSendMss'),
  tcp_mtu_probing: number('mtuProbing'),
  tcp_notsent_lowat: () => {},
  tcp_orphan_retries: number('orphanRetries'),
  tcp_probe_interval: number('mtuProbeIntervalMs', 1000),
  tcp_recovery: () => {},
  tcp_reordering: () => {},
  tcp_retries2: number('retries'),
  tcp_rfc1337: flag('rfc1337'),
  tcp_rmem: (c, text) => memory(c, text, 'rcvBufInitial', 'rcvBufMax'),
  tcp_rto_min_us: number('rtoMinMs', 1 / 1000),
  tcp_rto_max_ms: number('rtoMaxMs'),
  tcp_sack: flag('sack'),
  tcp_slow_start_after_idle: flag('idleRestart'),
  tcp_syn_linear_timeouts: number('synLinear'),
  tcp_syn_retries: number('synRetries'),
  tcp_synack_retries: number('synAckRetries'),
  tcp_syncookies: flag('synCookies'),
  tcp_timestamps: flag('timestamps'),
  tcp_window_scaling: flag('windowScale'),
  tcp_tw_reuse: (_c, text) => {
    if (text === '1') unknown('tcp_tw_reuse for everybody');
  },
  tcp_wmem: (c, text) => memory(c, text, 'sndBufInitial', 'sndBufMax'),
};

function unknown(what: string): never {
  throw new NotHere(`${what} is not known`);
}

/**
 * `min default max`. Half of the default is for payload (tcp_adv_win_scale 1); the scale is chosen
 * for all of the maximum.
 */
function memory(c: TcpConfig, text: string, initial: NumericKnob, most: NumericKnob): void {
  const [, middle, max] = text.split(/\s+/).map(Number);
  if (middle === undefined || max === undefined) unknown(`'${text}' instead of three sizes`);
  c[initial] = most === 'rcvBufMax' ? middle >> 1 : middle;
  c[most] = max;
}

const LINE =
  /(?:net[./]ipv[46][./]|net[./]core[./]|net[./]inet6?[./]tcp[./])([\w.]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;`\\]+))/g;
/** Work of a shell that scripts need and that has no counterpart here. */
const SHELL =
  /\btc\s+qdisc\s+\w+\s+dev\s+\S+\s+root\s+(?!pfifo\b)(\w+)|\b(iptables|ip6tables|nft|netem)\b|\bip\s+(?:-\d\s+)?route\s+[^\n]*\b(initcwnd|initrwnd|quickack|rto_min|features|congctl|mtu|advmss)\b/;
const MTU = /\b(?:ip\s+link\s+set\s+[^\n]*\bmtu|ifconfig\s+\S+\s+[^\n]*\bmtu)\s+(\d+)/;
const SCRIPT = /(?:^|\s|;)((?:\.{1,2}\/)[\w./-]+\.sh)/g;

export interface Told {
  /** A new MTU of the device; 0: as it was. */
  mtu: number;
}

/** `$((256*1024))` */
function arithmetic(text: string): string {
  return text.replace(/\$\(\(([\d\s*+]+)\)\)/g, (_all, sum: string) => {
    const value = (product: string): number =>
      product.split('*').reduce((n, factor) => n * Number(factor), 1);
    return String(sum.split('+').reduce((n, product) => n + value(product), 0));
  });
}

/**
 * Carries out the settings in a shell command; throws on one that is not known.
 * @param beside text of a shell script that the command runs
 */
export function runCommand(
  config: Config,
  command: string,
  beside: (name: string) => string | null = () => null,
): Told {
  for (const [, name] of command.matchAll(SCRIPT)) {
    const text = beside(name as string);
    if (text !== null) runCommand(config, text);
  }
  const text = arithmetic(command.replace(/^\s*#[^\n]*/gm, ''));
  for (const [whole, name, a, b, c] of text.matchAll(LINE)) {
    const value = (a ?? b ?? c ?? '').trim();
    const setter = SETTERS[name as string];
    if (whole.startsWith('net.inet')) setFreebsd(config.tcp, name as string, value);
    else if (setter !== undefined) setter(config.tcp, value);
    else if (name?.startsWith('tcp_') === true && !WITHOUT_EFFECT.has(name))
      unknown(`sysctl ${name}`);
  }
  const shell = SHELL.exec(text);
  if (shell !== null) throw new NotHere(`shell: ${shell[1] ?? shell[2] ?? `route ${shell[3]}`}`);
  return { mtu: Number(MTU.exec(text)?.[1] ?? 0) };
}

/** `tcp.delayedAckMinMs=40` of a `--knob` head option. */
export function setKnob(config: Config, text: string): void {
  const m = /^(tcp|ip|udp|stack)\.(\w+)=(.*)$/.exec(text);
  if (m === null) return unknown(`knob ${text}`);
  const layer = config[m[1] as keyof Config] as unknown as Record<string, unknown>;
  const was = layer[m[2] as string];
  if (was === undefined) unknown(`knob ${text}`);
  layer[m[2] as string] = typeof was === 'boolean' ? m[3] === 'true' : Number(m[3]);
}
