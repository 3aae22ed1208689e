// What a connection looks like from outside: the names of Linux's `struct tcp_info` without
// `tcpi_`, times in µs, windows in the units that Linux has there (cwnd and *Out in segments).

import * as seq from '../base/seq.ts';
import { backedOff } from '../tcp/rtt.ts';
import { stateName } from '../tcp/state.ts';
import { Ca, type Tcb, Total } from '../tcp/tcb.ts';
import { selectWindow, unread } from '../tcp/window.ts';

export interface TcpInfo {
  state: string;
  ca_state: string;
  congestion: string;
  retransmits: number;
  probes: number;
  backoff: number;
  options: {
    timestamps: boolean;
    sack: boolean;
    wscale: boolean;
    ecn: boolean;
    /** Data on our SYN was taken, or the peer's was. */
    syn_data: boolean;
  };
  snd_wscale: number;
  rcv_wscale: number;
  rto: number;
  ato: number;
  snd_mss: number;
  rcv_mss: number;
  advmss: number;
  pmtu: number;
  unacked: number;
  sacked: number;
  lost: number;
  retrans: number;
  /** Milliseconds since; of a connection without any, since it was established. */
  last_data_sent: number;
  last_data_recv: number;
  last_ack_recv: number;
  total_retrans: number;
  rtt: number;
  rttvar: number;
  min_rtt: number;
  rcv_rtt: number;
  rcv_space: number;
  rcv_ssthresh: number;
  rcv_wnd: number;
  snd_cwnd: number;
  snd_ssthresh: number;
  snd_wnd: number;
  reordering: number;
  /** Reordering events seen, and segments that D-SACKs have told of. */
  reord_seen: number;
  dsack_dups: number;
  bytes_sent: number;
  bytes_acked: number;
  bytes_received: number;
  bytes_retrans: number;
  segs_out: number;
  segs_in: number;
  data_segs_out: number;
  delivered: number;
  delivered_ce: number;
  /** Octets per second; pacing 0 = not paced. */
  delivery_rate: number;
  pacing_rate: number;
  max_pacing_rate: number;
  notsent_bytes: number;
  recv_q: number;
  send_q: number;
}

const CA_NAMES = ['open', 'disorder', 'cwr', 'recovery', 'loss'];

export function tcpInfo(t: Tcb): TcpInfo {
  const total = (i: number): number => t.times[t.at + i] as number;
  const infinite = 0x7fffffff;
  const since = (us: number): number => Math.floor((t.layer.ip.nowUs - us) / 1000);
  return {
    state: stateName(t.state),
    ca_state: CA_NAMES[t.ca] ?? CA_NAMES[Ca.OPEN] ?? 'open',
    congestion: t.controller.name,
    retransmits: t.retransmits,
    probes: t.probes,
    backoff: t.backoff,
    options: {
      timestamps: t.tsOk,
      sack: t.sackOk,
      wscale: t.wsOk,
      ecn: t.ecnOk,
      syn_data: t.synDataTaken || t.fastOpened,
    },
    snd_wscale: t.sndScale,
    rcv_wscale: t.wsOk ? t.rcvScale : 0,
    rto: Math.round(backedOff(t)),
    ato: Math.round(t.atoUs),
    snd_mss: t.mss,
    rcv_mss: t.rcvMss,
    advmss: t.advMss - (t.tsOk ? 12 : 0),
    pmtu: t.path.mtu,
    unacked: t.packetsOut,
    sacked: t.sackedOut,
    lost: t.lostOut,
    retrans: t.retransOut,
    last_data_sent: since(t.lastDataOutUs || t.lastDataInUs),
    last_data_recv: since(t.lastDataInUs),
    last_ack_recv: since(t.lastAckInUs || t.lastDataInUs),
    total_retrans: total(Total.RETRANS),
    rtt: Math.round(t.srttUs),
    rttvar: Math.round(t.mdevUs / 4),
    min_rtt: Number.isFinite(t.minRttUs) ? Math.round(t.minRttUs) : 0,
    rcv_rtt: Math.round(t.rcvRttUs),
    rcv_space: t.rcvBuf,
    rcv_ssthresh: t.rcvSsthresh,
    rcv_wnd: selectWindow(t),
    snd_cwnd: t.cwnd,
    snd_ssthresh: Math.min(t.ssthresh, infinite),
    snd_wnd: t.sndWnd,
    reordering: t.reordering,
    reord_seen: t.reordersSeen,
    dsack_dups: t.dsackDups,
    bytes_sent: total(Total.BYTES_SENT),
    bytes_acked: total(Total.BYTES_ACKED),
    bytes_received: total(Total.BYTES_RECEIVED),
    bytes_retrans: total(Total.BYTES_RETRANS),
    segs_out: total(Total.SEGS_OUT),
    segs_in: total(Total.SEGS_IN),
    data_segs_out: total(Total.DATA_SEGS_OUT),
    delivered: t.delivered,
    delivered_ce: t.deliveredCe,
    delivery_rate: Math.round(t.rate),
    pacing_rate: Math.round(t.pacingRate),
    max_pacing_rate: t.maxPacingRate,
    notsent_bytes: Math.max(0, seq.diff(t.sndEnd, t.sndNxt)),
    recv_q: unread(t),
    send_q: Math.max(0, seq.diff(t.sndEnd, t.sndUna)),
  };
}
