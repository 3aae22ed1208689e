// Profiles: sets of knobs under one name. The default follows the RFCs where the table in config.ts
// does not say otherwise; `linux` behaves as Linux 6.x does out of the box (docs/departures.md
// lists each difference).

import { HystartMode } from '../tcp/congestion/hystart.ts';
import { EcnMode } from '../tcp/ecn.ts';
import type { ConfigOverrides } from './config.ts';

export const profiles = {
  /** The defaults of config.ts. */
  rfc: {} as ConfigOverrides,
  /** Linux's defaults (net.ipv4.tcp_*). */
  linux: {
    tcp: {
      synRetries: 6, // tcp_syn_retries
      synLinear: 4, // tcp_syn_linear_timeouts
      synAckRetries: 5, // tcp_synack_retries
      synAckUnproven: 5, // to everybody
      rcvBufInitial: 65_536, // half of tcp_rmem[1] = 131072: tcp_adv_win_scale 1
      sndBufInitial: 87_040, // tcp_wmem[1] with its overhead, as far as payload goes
      pawsSlack: 1, // TCP_PAWS_WINDOW
      paceHeaders: false, // tcp_update_skb_after_send
      hystart: HystartMode.CLASSIC,
      ecn: EcnMode.ACCEPT, // tcp_ecn 2
      rtoMinMs: 200, // TCP_RTO_MIN
      probeMinMs: 2, // TCP_TIMEOUT_MIN
      softErrorsEndOpen: true, // tcp_v4_err in SYN-SENT
      challengeGapMs: 500, // tcp_invalid_ratelimit
      rfc1337: false, // tcp_rfc1337
      fillWindow: true, // tcp_mss_split_point
      finAckAtOnce: false, // tcp_fin
      hurriedAcks: true, // tcp_cleanup_rbuf
      wholeSegments: true, // tcp_sequence
      strictEmbryos: true, // tcp_check_req
      crossedOffers: true, // tcp_syn_options
      mtuProbing: 0, // tcp_mtu_probing
      timeWaitMs: 60_000, // TCP_TIMEWAIT_LEN
    },
  } as ConfigOverrides,
  /** RFC 6298's one-second floor, RFC 9293's 2 MSL of four minutes. */
  strict: {
    tcp: { rtoMinMs: 1000, timeWaitMs: 240_000, delayedAckMinMs: 200, delayedAckMaxMs: 500 - 1 },
  } as ConfigOverrides,
} as const;

export type ProfileName = keyof typeof profiles;

/** A profile with a caller's overrides on top. */
export function profile(name: ProfileName, overrides: ConfigOverrides = {}): ConfigOverrides {
  const base = profiles[name];
  return {
    ip: { ...base.ip, ...overrides.ip },
    udp: { ...base.udp, ...overrides.udp },
    tcp: { ...base.tcp, ...overrides.tcp },
    stack: { ...base.stack, ...overrides.stack },
  };
}
