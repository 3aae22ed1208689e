// Every knob: default, unit, source. A layer declares the ones that it needs; here are their
// values.

import type { TrackConfig } from '../forward/conntrack.ts';
import type { IpConfig } from '../ip/ip.ts';
import { cubic } from '../tcp/congestion/cubic.ts';
import type { TcpConfig } from '../tcp/tcp.ts';
import type { UdpConfig } from '../udp/udp.ts';

export interface StackConfig {
  /** Most rounds of one `drain`; what is left asks for another turn. */
  maxDrainRounds: number;
  /** Most times in one `drain` that packets on the stack's own loopback are taken in. */
  maxLoopbackHops: number;
  /** Octets for packets on the stack's own loopback link, and how many of them. */
  loopbackOctets: number;
  loopbackPackets: number;
  /** Octets that the stack may hold for peers and programs, all kinds together. */
  memoryOctets: number;
}

export interface ForwardConfig extends TrackConfig {
  /** Packets for others are forwarded, on links without a word of their own. */
  forwarding: boolean;
}

export interface Config {
  ip: IpConfig;
  udp: UdpConfig;
  tcp: TcpConfig;
  stack: StackConfig;
  forward: ForwardConfig;
}

/** Partial overrides by layer. */
export interface ConfigOverrides {
  ip?: Partial<IpConfig>;
  udp?: Partial<UdpConfig>;
  tcp?: Partial<TcpConfig>;
  stack?: Partial<StackConfig>;
  forward?: Partial<ForwardConfig>;
}

const IP: IpConfig = {
  defaultTtl: 64, // hops; RFC 1700
  icmpRatePerSecond: 1000, // messages per destination; RFC 1812 §4.3.2.8
  icmpBurst: 200, // messages
  echoBroadcast: false, // RFC 1122 §3.2.2.6 allows silence
  reassemblyTimeoutMs: 30_000, // RFC 791 §3.2, Linux ipfrag_time
  reassemblyTimeout6Ms: 60_000, // RFC 8200 §4.5
  reassemblyMaxOctets: 4 << 20, // Linux ipfrag_high_thresh
  reassemblyMaxOctetsPerSource: 1 << 20,
  reassemblyMaxFragments: 128, // of one datagram: 65,535 octets at MTU 576
  reassemblyMaxDatagrams: 1024,
  pmtuMin: 552, // octets; Linux ip_rt_min_pmtu
  pmtuExpireMs: 600_000, // RFC 1191 §6.3
  pmtuMaxEntries: 4096,
  groupMax: 1024, // multicast groups on all links together
  groupMaxSources: 64, // of one group on one link; Linux mld_max_msf
  groupRobustness: 2, // times that a change is told; RFC 9776 §8.1, until a querier says more
  groupQueryIntervalMs: 125_000, // RFC 9776 §8.2, until a querier says another
  reportLinkLocalGroups: false, // 224.0.0/24; Linux igmp_link_local_mcast_reports
  txArenaOctets: 1 << 20,
  neighborMax: 1024, // of one Ethernet link; Linux gc_thresh3
  neighborMaxAsked: 256, // being asked for, and as many that have only asked for us; RFC 6583 §6
  neighborReachableMs: 30_000, // RFC 4861 §10, times 0.5 to 1.5
  neighborRetransMs: 1000, // RFC 4861 §10, RFC 1122 §2.3.2.1: one question a second
  neighborQueuePackets: 3, // that wait for one neighbour, the newest; RFC 1122 §2.3.2.2: at least 1
  neighborQueueOctets: 1 << 20, // that wait on one link
  arpProbes: 0, // before an IPv4 address is used; RFC 5227 §1.1: 3, Linux none
  dadTransmits: 1, // before an IPv6 address is used; RFC 4862 §5.1
};

const UDP: UdpConfig = {
  udpReceiveOctets: 212_992, // of one socket's queue with overhead; Linux net.core.rmem_default
  udpSendOctets: 212_992, // of one socket in one turn; Linux net.core.wmem_default
  udpMemoryOctets: 64 << 20, // of all sockets' queues
  udpMaxSockets: 65_536,
  udpBufferMax: 4 << 20, // that a program may ask for; Linux rmem_max and wmem_max
  udpMaxMemberships: 20, // of one socket; Linux igmp_max_memberships
  udpMaxSources: 10, // of one membership; Linux igmp_max_msf
  udpDrainDatagrams: 1024, // delivered in one round
  ephemeralLow: 32_768, // Linux ip_local_port_range
  ephemeralHigh: 60_999,
};

const TCP: TcpConfig = {
  initialCwnd: 10, // segments; RFC 6928
  rtoInitialMs: 1000, // RFC 6298 §2.1
  rtoMinMs: 200, // floor of the variance term; Linux TCP_RTO_MIN (docs/departures.md)
  rtoMaxMs: 120_000, // RFC 6298 §2.5 (at least 60 s), Linux TCP_RTO_MAX
  synRetries: 7, // RFC 9293 MUST-23: R2 for SYN at least 3 minutes: 1+2+…+64+120 s
  synAckRetries: 5, // Linux tcp_synack_retries
  synAckUnproven: 2, // of these to strangers: three times the octets of their SYN at most
  retries: 15, // RFC 9293 SHLD-11 (100 s); Linux tcp_retries2: about 15 minutes
  orphanRetries: 8, // Linux tcp_orphan_retries: about 100 s
  delayedAckMinMs: 40, // Linux TCP_DELACK_MIN
  delayedAckMaxMs: 200, // RFC 9293 MUST-40 (below 500 ms), Linux TCP_DELACK_MAX
  timeWaitMs: 60_000, // Linux TCP_TIMEWAIT_LEN; RFC 9293 2 MSL (docs/departures.md)
  finWait2Ms: 60_000, // orphans only; Linux tcp_fin_timeout
  rcvBufInitial: 131_072, // octets; Linux tcp_rmem[1]
  rcvBufMax: 6_291_456, // Linux tcp_rmem[2]
  sndBufInitial: 262_144, // octets
  sndBufMax: 4_194_304, // Linux tcp_wmem[2]
  rcvBufMemory: 256 << 20, // octets of receive rings in the whole stack
  windowScale: true, // RFC 7323 §2
  timestamps: true, // RFC 7323 §3
  sack: true, // RFC 2018
  minSendMss: 48, // octets; CVE-2019-11479, Linux tcp_min_snd_mss
  backlogDefault: 511, // connections; Node's default
  gateTimeoutMs: 30_000, // longest time a SYN is held by a gate; the peer's own patience is 127 s
  synBacklog: 1024, // embryonic connections beyond the backlog
  synCookies: true, // when the SYN queue is full; RFC 4987 §3.6
  maxConnections: 1 << 20,
  maxTimeWait: 65_536,
  ephemeralLow: 32_768, // Linux ip_local_port_range
  ephemeralHigh: 60_999,
  challengeAcksPerSecond: 10, // per connection, with jitter; RFC 5961 §7
  challengeGapMs: 0, // Linux tcp_invalid_ratelimit
  rfc1337: true, // RFC 1337 §3; Linux tcp_rfc1337 0
  fillWindow: false, // RFC 9293 §3.8.6.2.1; Linux tcp_mss_split_point fills it
  finAckAtOnce: true, // RFC 9293 §3.8.6.3 lets it wait; Linux does
  hurriedAcks: false, // Linux tcp_cleanup_rbuf
  wholeSegments: false, // RFC 9293 §3.10.7.4 trims to the window; Linux tcp_sequence
  strictEmbryos: false, // RFC 9293 §3.10.7.4: the sequence first; Linux tcp_check_req
  crossedOffers: false, // RFC 7323 §2.2: what the SYN offered; Linux tcp_syn_options
  synLinear: 0, // RFC 6298 §5.5; Linux tcp_syn_linear_timeouts 4
  fastOpenBlackholeMs: 0, // RFC 7413 §4.1.3; Linux tcp_fastopen_blackhole_timeout_sec 0
  rstPerSecond: 5000, // answers to segments without a connection
  ofoMaxRanges: 1024, // out-of-order ranges of one connection
  gsoMaxOctets: 65_535, // of one super-segment with its headers
  controller: cubic, // RFC 9438
  idleRestart: true, // RFC 5681 §4.1
  mtuProbing: 1, // 0 off, 1 after a black hole, 2 always; RFC 4821, Linux tcp_mtu_probing
  mtuProbeIntervalMs: 600_000, // RFC 4821 §7.7, Linux tcp_probe_interval
  softErrorsEndOpen: false, // RFC 9293 MUST-56; Linux true
  lossProbe: true, // RFC 8985 §7
  probeMinMs: 10, // an event loop is not a kernel; Linux 2
  pawsSlack: 0, // ticks of a timestamp that may be older than TS.Recent; RFC 7323 §5.3: none
  paceHeaders: true, // Linux's own pacing (tcp_update_skb_after_send) counts payload alone
  hystart: 1, // 0 off, 1 HyStart++ (RFC 9406), 2 classic (Linux's CUBIC)
  ecn: 2, // 0 never, 1 ask and accept, 2 accept; RFC 3168, Linux tcp_ecn
  testIss: -1, // tests only: a fixed ISN; -1 = RFC 6528
  testTsOffset: -1, // tests only
};

const STACK: StackConfig = {
  maxDrainRounds: 16,
  maxLoopbackHops: 16, // a host on Node's event loop has 2
  loopbackOctets: 1 << 20,
  loopbackPackets: 4096,
  memoryOctets: 512 << 20, // the counterpart of Linux's tcp_mem and udp_mem
};

const FORWARD: ForwardConfig = {
  forwarding: false, // RFC 1812 §2.2.8.1, Linux ip_forward: a host unless told otherwise
  trackMax: 65_536, // connections; Linux nf_conntrack_max on a machine of this size
  tcpEstablishedMs: 432_000_000, // Linux nf_conntrack_tcp_timeout_established; RFC 5382: 2 h 4 min
  tcpTransitoryMs: 240_000, // opening and closing; RFC 5382 REQ-5
  tcpCloseMs: 240_000, // after a reset; RFC 7857 §2.2
  udpMs: 120_000, // not answered; RFC 4787 REQ-5: at least 2 minutes
  udpStreamMs: 300_000, // answered; RFC 4787 REQ-5: 5 minutes or more
  icmpMs: 60_000, // a query's mapping; RFC 5508 REQ-2
};

/** The defaults with a caller's overrides. */
export function configure(overrides: ConfigOverrides = {}): Config {
  return {
    ip: { ...IP, ...overrides.ip },
    udp: { ...UDP, ...overrides.udp },
    tcp: { ...TCP, ...overrides.tcp },
    stack: { ...STACK, ...overrides.stack },
    forward: { ...FORWARD, ...overrides.forward },
  };
}
