// BBR, version 1 semantics (draft-cardwell-iccrg-bbr-congestion-control-00): a model of the path
// from the largest delivery rate of ten rounds and the smallest RTT of ten seconds; it paces at
// gains around the bandwidth and keeps about two bandwidth-delay products in flight.
// @hot

import { below } from '../../base/random.ts';
import type { AckPass } from '../ack-pass.ts';
import { headers } from '../pacing.ts';
import { Ca, inFlight, type Tcb } from '../tcb.ts';
import type { CongestionMemory, Controller } from './controller.ts';

const Mode = { STARTUP: 0, DRAIN: 1, PROBE_BW: 2, PROBE_RTT: 3 } as const;

/** 2/ln 2: the smallest gain that doubles the rate each round. */
const HIGH_GAIN = 2.885;
const DRAIN_GAIN = 1 / HIGH_GAIN;
const CWND_GAIN = 2;
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1];
const BW_ROUNDS = 10;
const MIN_RTT_WINDOW_US = 10_000_000;
const PROBE_RTT_US = 200_000;
const MIN_CWND = 4;
/** Octets per second below which a burst is one segment. */
const SLOW_RATE = 150_000;
const FULL_BW = 1.25;
const FULL_ROUNDS = 3;
/** Acknowledgments come in clumps: room for the largest of ten rounds, of at most this long. */
const CLUMP_ROUNDS = 5;
const CLUMP_MAX_US = 100_000;
const CLUMP_SEGMENTS = 1 << 20;
/** Pace one percent below the estimate, so that no queue builds up by rounding. */
const MARGIN = 0.99;

class BbrMemory implements CongestionMemory {
  readonly owner = 'bbr';
  mode: number = Mode.STARTUP;
  pacingGain = HIGH_GAIN;
  cwndGain = HIGH_GAIN;
  /** Largest rate of each of the last rounds, segments per µs, by round mod BW_ROUNDS. */
  readonly rates = new Float64Array(BW_ROUNDS);
  bw = 0;
  round = 0;
  roundDelivered = 0;
  roundStart = false;
  minRttUs = Infinity;
  minRttAtUs = 0;
  probeRttDoneUs = 0;
  probeRttRound = false;
  fullBw = 0;
  fullCount = 0;
  full = false;
  cycle = 0;
  cycleUs = 0;
  priorCwnd = 0;
  priorCa: number = Ca.OPEN;
  conserving = false;
  idleRestart = false;
  hasRtt = false;
  /** Segments acknowledged in this clump, and since when. */
  clump = 0;
  clumpUs = 0;
  /** Largest surplus over what `bw` explains, of the rounds before and of these. */
  surplusBefore = 0;
  surplus = 0;
  surplusRounds = 0;
}

function memory(t: Tcb): BbrMemory {
  return t.congestionMemory as BbrMemory;
}

class Bbr implements Controller {
  readonly name = 'bbr';
  readonly drives = true;

  start(t: Tcb): CongestionMemory | null {
    const m = grownMemory();
    m.roundDelivered = t.delivered;
    if (Number.isFinite(t.minRttUs)) m.minRttUs = t.minRttUs;
    m.minRttAtUs = t.layer.ip.nowUs;
    m.clumpUs = m.minRttAtUs;
    t.ssthresh = 0x7fffffff;
    initialPacing(t, m);
    return m;
  }

  /** BBR keeps its own model: a loss saves the window and changes nothing else. */
  ssthresh(t: Tcb): number {
    saveCwnd(t, memory(t));
    return t.ssthresh;
  }

  avoid(_t: Tcb, _acked: number): void {}

  sampled(_t: Tcb, _acked: number): void {}

  undo(t: Tcb): number {
    const m = memory(t);
    m.fullBw = 0;
    m.fullCount = 0;
    return t.cwnd;
  }

  reset(t: Tcb): void {
    const m = memory(t);
    m.priorCa = Ca.LOSS;
    m.fullBw = 0;
    m.roundStart = true;
  }

  restart(t: Tcb, _idleUs: number): void {
    const m = memory(t);
    if (t.appLimited === 0) return;
    m.idleRestart = true;
    if (m.mode === Mode.PROBE_BW) setPacing(t, m, 1);
  }

  drive(t: Tcb, pass: AckPass): void {
    const m = memory(t);
    updateModel(t, m, pass);
    setPacing(t, m, m.pacingGain);
    setCwnd(t, m, pass);
  }
}

function grownMemory(): BbrMemory {
  return new BbrMemory();
}

function initialPacing(t: Tcb, m: BbrMemory): void {
  const rtt = t.srttUs > 0 ? t.srttUs : 1000;
  m.hasRtt = t.srttUs > 0;
  t.pacingRate = limited(t, (HIGH_GAIN * MARGIN * t.cwnd * wireMss(t) * 1e6) / rtt);
}

/** A segment with its headers: rates are of what the wire carries. */
function wireMss(t: Tcb): number {
  return t.mss + headers(t);
}

function limited(t: Tcb, rate: number): number {
  return t.maxPacingRate > 0 ? Math.min(rate, t.maxPacingRate) : rate;
}

function setPacing(t: Tcb, m: BbrMemory, gain: number): void {
  if (!m.hasRtt && t.srttUs > 0) initialPacing(t, m);
  const rate = limited(t, gain * m.bw * 1e6 * wireMss(t) * MARGIN);
  // until the pipe is full a lower estimate must not slow the search down
  if (m.bw > 0 && (m.full || rate > t.pacingRate)) t.pacingRate = rate;
}

function updateModel(t: Tcb, m: BbrMemory, pass: AckPass): void {
  updateBandwidth(t, m, pass);
  updateClump(t, m, pass);
  updateCycle(t, m, pass);
  checkFull(m, pass);
  checkDrain(t, m);
  updateMinRtt(t, m, pass);
}

function updateBandwidth(t: Tcb, m: BbrMemory, pass: AckPass): void {
  m.roundStart = false;
  if (pass.rateSegments < 0 || pass.intervalUs <= 0) return;
  if (pass.rateDelivered >= m.roundDelivered) {
    m.roundDelivered = t.delivered;
    m.round++;
    m.roundStart = true;
    m.conserving = false;
    m.rates[m.round % BW_ROUNDS] = 0;
  }
  const rate = pass.rateSegments / pass.intervalUs;
  if (pass.rateAppLimited && rate < m.bw) return;
  const at = m.round % BW_ROUNDS;
  if (rate > (m.rates[at] as number)) m.rates[at] = rate;
  let most = 0;
  for (let i = 0; i < BW_ROUNDS; i++)
    if ((m.rates[i] as number) > most) most = m.rates[i] as number;
  m.bw = most;
}

/** How much more is acknowledged at once than the bandwidth explains: Wi-Fi, GRO, batches. */
function updateClump(t: Tcb, m: BbrMemory, pass: AckPass): void {
  const acked = t.delivered - pass.priorDelivered;
  if (acked <= 0 || pass.rateSegments < 0 || pass.intervalUs <= 0) return;
  if (m.roundStart && ++m.surplusRounds >= CLUMP_ROUNDS) {
    m.surplusRounds = 0;
    m.surplusBefore = m.surplus;
    m.surplus = 0;
  }
  let expected = m.bw * (t.deliveredUs - m.clumpUs);
  if (m.clump <= expected || m.clump + acked >= CLUMP_SEGMENTS) {
    m.clump = 0;
    m.clumpUs = t.deliveredUs;
    expected = 0;
  }
  m.clump += acked;
  const surplus = Math.min(Math.floor(m.clump - expected), t.cwnd);
  if (surplus > m.surplus) m.surplus = surplus;
}

/** Room in the window for such clumps, once the pipe is known to be full. */
function clumpRoom(m: BbrMemory): number {
  if (!m.full) return 0;
  return Math.min(Math.max(m.surplus, m.surplusBefore), Math.floor(m.bw * CLUMP_MAX_US));
}

/** Bandwidth-delay product times gain, in segments, with room for aggregated acknowledgments. */
function inflightTarget(t: Tcb, m: BbrMemory, gain: number, room: number): number {
  if (m.minRttUs === Infinity || m.bw === 0) return t.layer.config.initialCwnd;
  return quantized(t, m, Math.ceil(m.bw * m.minRttUs * gain) + room);
}

/** What will be in flight when the next segment may leave (pacing may hold it for a while). */
function inflightAtDeparture(t: Tcb, m: BbrMemory, now: number): number {
  const wait = Math.max(0, t.paceUs - t.layer.ip.nowUs);
  const then = now + (m.pacingGain > 1 ? burstSegments(t) : 0);
  return Math.max(0, then - Math.floor(m.bw * wait));
}

function burstSegments(t: Tcb): number {
  const segs = Math.floor(t.pacingRate / 1000 / t.mss);
  return Math.min(Math.max(segs, t.pacingRate < SLOW_RATE ? 1 : 2), 44);
}

/** Enough for a few bursts in flight, and an even number, so that delayed ACKs do not stall. */
function quantized(t: Tcb, m: BbrMemory, segs: number): number {
  let n = segs + 3 * burstSegments(t);
  n = (n + 1) & ~1;
  if (m.mode === Mode.PROBE_BW && m.cycle === 0) n += 2;
  return n;
}

function updateCycle(t: Tcb, m: BbrMemory, pass: AckPass): void {
  if (m.mode !== Mode.PROBE_BW) return;
  const now = t.layer.ip.nowUs;
  const long = now - m.cycleUs > m.minRttUs;
  const gain = m.pacingGain;
  const was = inflightAtDeparture(t, m, pass.priorInFlight);
  let next = long;
  if (gain > 1) {
    next = long && (t.lost > pass.priorLost || was >= inflightTarget(t, m, gain, 0));
  } else if (gain < 1) next = long || was <= inflightTarget(t, m, 1, 0);
  if (!next) return;
  m.cycle = (m.cycle + 1) % CYCLE.length;
  m.cycleUs = now;
  m.pacingGain = CYCLE[m.cycle] as number;
}

function checkFull(m: BbrMemory, pass: AckPass): void {
  if (m.full || !m.roundStart || pass.rateAppLimited) return;
  if (m.bw >= m.fullBw * FULL_BW) {
    m.fullBw = m.bw;
    m.fullCount = 0;
    return;
  }
  m.fullCount++;
  m.full = m.fullCount >= FULL_ROUNDS;
}

function checkDrain(t: Tcb, m: BbrMemory): void {
  if (m.mode === Mode.STARTUP && m.full) {
    m.mode = Mode.DRAIN;
    m.pacingGain = DRAIN_GAIN;
    m.cwndGain = HIGH_GAIN;
    t.ssthresh = inflightTarget(t, m, 1, 0);
  }
  if (m.mode !== Mode.DRAIN) return;
  if (inflightAtDeparture(t, m, inFlight(t)) <= inflightTarget(t, m, 1, 0)) enterProbeBw(t, m);
}

function enterProbeBw(t: Tcb, m: BbrMemory): void {
  m.mode = Mode.PROBE_BW;
  m.cwndGain = CWND_GAIN;
  // any phase but the draining one, at random, so that flows do not probe together
  m.cycle = (CYCLE.length - below(t.layer.random, CYCLE.length - 1)) % CYCLE.length;
  m.cycleUs = t.layer.ip.nowUs;
  m.pacingGain = CYCLE[m.cycle] as number;
}

function updateMinRtt(t: Tcb, m: BbrMemory, pass: AckPass): void {
  const now = t.layer.ip.nowUs;
  const expired = now > m.minRttAtUs + MIN_RTT_WINDOW_US;
  const rtt = pass.rttUs > 0 ? pass.rttUs : pass.sackRttUs;
  if (rtt > 0 && (rtt < m.minRttUs || expired)) {
    m.minRttUs = rtt;
    m.minRttAtUs = now;
  }
  if (expired && !m.idleRestart && m.mode !== Mode.PROBE_RTT) {
    m.mode = Mode.PROBE_RTT;
    m.pacingGain = 1;
    m.cwndGain = 1;
    saveCwnd(t, m);
    m.probeRttDoneUs = 0;
  }
  if (m.mode === Mode.PROBE_RTT) inProbeRtt(t, m, now);
  if (t.delivered > pass.priorDelivered) m.idleRestart = false;
}

function inProbeRtt(t: Tcb, m: BbrMemory, now: number): void {
  t.appLimited = Math.max(t.delivered + inFlight(t), 1);
  if (m.probeRttDoneUs === 0) {
    if (inFlight(t) > MIN_CWND) return;
    m.probeRttDoneUs = now + PROBE_RTT_US;
    m.probeRttRound = false;
    m.roundDelivered = t.delivered;
    return;
  }
  if (m.roundStart) m.probeRttRound = true;
  if (!m.probeRttRound || now < m.probeRttDoneUs) return;
  m.minRttAtUs = now;
  t.cwnd = Math.max(t.cwnd, m.priorCwnd);
  if (m.full) enterProbeBw(t, m);
  else {
    m.mode = Mode.STARTUP;
    m.pacingGain = HIGH_GAIN;
    m.cwndGain = HIGH_GAIN;
  }
}

function saveCwnd(t: Tcb, m: BbrMemory): void {
  if (m.priorCa < Ca.RECOVERY && m.mode !== Mode.PROBE_RTT) m.priorCwnd = t.cwnd;
  else m.priorCwnd = Math.max(m.priorCwnd, t.cwnd);
}

function setCwnd(t: Tcb, m: BbrMemory, pass: AckPass): void {
  const acked = t.delivered - pass.priorDelivered;
  if (acked > 0 && !recovering(t, m, pass, acked)) {
    const target = inflightTarget(t, m, m.cwndGain, clumpRoom(m));
    if (m.full) t.cwnd = Math.min(t.cwnd + acked, target);
    else if (t.cwnd < target || t.delivered < t.layer.config.initialCwnd) t.cwnd += acked;
    t.cwnd = Math.max(t.cwnd, MIN_CWND);
  }
  t.cwnd = Math.min(t.cwnd, t.cwndClamp);
  if (m.mode === Mode.PROBE_RTT) t.cwnd = Math.min(t.cwnd, MIN_CWND);
}

/** Packet conservation in the first round of recovery; true: cwnd is set. */
function recovering(t: Tcb, m: BbrMemory, pass: AckPass, acked: number): boolean {
  const lost = t.lost - pass.priorLost;
  const prior = m.priorCa;
  if (lost > 0) t.cwnd = Math.max(t.cwnd - lost, 1);
  if (t.ca === Ca.RECOVERY && prior !== Ca.RECOVERY) {
    m.conserving = true;
    m.roundDelivered = t.delivered;
    t.cwnd = inFlight(t) + acked;
  } else if (prior >= Ca.RECOVERY && t.ca < Ca.RECOVERY) {
    t.cwnd = Math.max(t.cwnd, m.priorCwnd);
    m.conserving = false;
  }
  m.priorCa = t.ca;
  if (!m.conserving) return false;
  t.cwnd = Math.max(t.cwnd, inFlight(t) + acked);
  return true;
}

export const bbr: Controller = new Bbr();
