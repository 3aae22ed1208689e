// Events of a stack, as the inspector shows them: the history of each connection, and a log of what
// is worth a line.

import { endText } from '../inspect/brief.ts';
import type { EventRow as StackEvent } from '../inspect/event-rows.ts';
import type { EventRow, SampleRow, SegmentRow } from './frames.ts';
import { History, Kept } from './history.ts';

const MOST_EVENTS = 20_000;
const MOST_CONNECTIONS = 2000;
const INFINITE = 0x7fffffff;

/** Numbers the rows of all hosts of a network. */
export class Numbers {
  last = 0;
}

/** One connection by its number. Sequence numbers are shown from the first that was seen. */
interface Life {
  readonly history: History;
  own: number;
  other: number;
  mss: number;
  readonly sample: SampleRow;
  lastIn: SegmentRow | null;
  /** The timer has fired: what it is set to next is the RTO that has doubled. */
  fired: boolean;
}

const At = { CWND: 1, SSTHRESH: 2, FLIGHT: 3, WND: 4, SRTT: 5, VAR: 6, RTO: 7 } as const;

export class EventLog {
  readonly events = new Kept<EventRow>(MOST_EVENTS);
  readonly #host: string;
  readonly #numbers: Numbers;
  readonly #shiftUs: number;
  readonly #lives = new Map<number, Life>();
  readonly #byKey = new Map<string, Life>();

  /** @param shiftUs what to take from the stack's clock */
  constructor(host: string, numbers: Numbers, shiftUs: number) {
    this.#host = host;
    this.#numbers = numbers;
    this.#shiftUs = shiftUs;
  }

  /** The history of the connection that has, or had last, these ends. */
  historyOf(key: string): History | null {
    return this.#byKey.get(key)?.history ?? null;
  }

  /** A connection that was there before anybody looked. */
  meet(sk: number, key: string, mss: number): History {
    const life = this.#lives.get(sk) ?? this.#begin(sk, key);
    if (mss > 0) life.mss = mss;
    return life.history;
  }

  /** Octets of a full segment of that connection. */
  segment(sk: number, mss: number): void {
    const life = this.#lives.get(sk);
    if (life !== undefined) life.mss = mss;
  }

  /** A connection whose moves another log notes. */
  adopt(sk: number, history: History, mss: number): void {
    this.#begin(sk, history.key, history).mss = mss;
  }

  #begin(sk: number, key: string, history = new History(this.#host, key)): Life {
    const life: Life = {
      history,
      ...{ own: -1, other: -1, mss: 1460, lastIn: null, fired: false },
      sample: [0, 0, 0, 0, 0, 0, 0, 0],
    };
    if (this.#lives.size >= MOST_CONNECTIONS) {
      const [oldest] = this.#lives.keys();
      if (oldest !== undefined) this.#lives.delete(oldest);
    }
    this.#lives.set(sk, life);
    this.#byKey.set(key, life);
    if (this.#byKey.size > MOST_CONNECTIONS) {
      const [oldest] = this.#byKey.keys();
      if (oldest !== undefined) this.#byKey.delete(oldest);
    }
    return life;
  }

  say(us: number, kind: string, text: string, key = ''): void {
    const n = ++this.#numbers.last;
    this.events.push({ n, us, host: this.#host, key, kind, text });
  }

  take(rows: readonly StackEvent[]): void {
    for (const row of rows) this.#one(row, Math.round(row.at - this.#shiftUs));
  }

  #one(e: StackEvent, us: number): void {
    if (e.kind === 'state') {
      const { local, remote } = e;
      const ends = [local, remote].map(({ address, port }) => endText(address, port));
      const key = `tcp ${ends.join(' ')}`;
      const life = this.#lives.get(e.sk) ?? this.#begin(e.sk, key);
      const [from, to] = [e.from, e.to].map((s) => (s === 'UNCONN' ? 'CLOSED' : s));
      // a listener's child begins where the figure has its listener
      const start = from === 'CLOSED' && to === 'SYN-RECV' ? 'LISTEN' : (from as string);
      life.history.move(us, start, to as string, e.cause);
      this.say(us, 'state', `${start} → ${to}: ${e.cause}`, key);
      return;
    }
    const life = this.#lives.get(e.sk);
    if (life !== undefined) this.#ofLife(e, life, us);
    else this.#ofNone(e, us);
  }

  #ofNone(e: StackEvent, us: number): void {
    if (e.kind === 'drop') {
      const [from, to] = e.ports;
      const ports = from + to > 0 ? ` ${from} → ${to}` : '';
      this.say(us, 'drop', `${e.reason}: ${e.octets} octets${ports}`);
    } else if (e.kind === 'refused') {
      this.say(us, 'refused', `${e.code}: ${e.netid} ${endText(e.address, e.port)}`);
    } else if (e.kind === 'overflow') {
      this.say(us, 'overflow', `the ${e.queue} queue is full: ${e.waiting}`);
    } else if (e.kind === 'route') this.say(us, 'route', `${e.change} ${e.prefix}`);
  }

  #ofLife(e: StackEvent, life: Life, us: number): void {
    const { history, sample, mss } = life;
    const { key } = history;
    switch (e.kind) {
      case 'sent':
      case 'received':
        history.segment(this.#segment(e, life, us));
        return;
      case 'sacked':
        if (e.what !== 'refused')
          life.lastIn?.push(since(e.start, life.own), since(e.end, life.own));
        return;
      case 'acked':
        sample[At.WND] = (e.edge - e.una) >>> 0;
        sample[At.FLIGHT] = e.inFlight * mss;
        break;
      case 'cwnd':
        sample[At.CWND] = e.cwnd * mss;
        sample[At.SSTHRESH] = e.ssthresh >= INFINITE ? 0 : e.ssthresh * mss;
        sample[At.FLIGHT] = e.inFlight * mss;
        break;
      case 'rtt':
        sample[At.SRTT] = e.srttUs;
        sample[At.VAR] = e.rttvarUs;
        sample[At.RTO] = e.rtoUs;
        break;
      case 'timer':
        if (!life.fired || e.timer !== 'rto') return;
        life.fired = false;
        sample[At.RTO] = e.delayUs;
        this.say(us, 'timer', `the timer is set to ${(e.delayUs / 1e6).toFixed(3)} s`, key);
        break;
      case 'fired':
        life.fired = e.timer === 'rto';
        this.say(us, 'timer', `timer: ${TIMERS[e.timer] ?? e.timer}`, key);
        return;
      default:
        this.#judged(e, life, us);
        return;
    }
    history.sample([us, ...sample.slice(1)]);
  }

  #judged(e: StackEvent, { history, own }: Life, us: number): void {
    if (e.kind === 'lost') {
      const range = `${since(e.start, own)}–${since(e.end, own)}`;
      this.say(
        us,
        'loss',
        `${range} is taken for lost: ${LOSSES[e.cause] ?? e.cause}`,
        history.key,
      );
    } else if (e.kind === 'undone') {
      const text = `a reduction is taken back (${e.cause}): cwnd ${e.cwnd}`;
      this.say(us, 'undo', text, history.key);
    } else if (e.kind !== 'delivered') this.#ofNone(e, us);
  }

  #segment(e: StackEvent & { kind: 'sent' | 'received' }, life: Life, us: number): SegmentRow {
    const out = e.kind === 'sent';
    const syn = e.flags.includes('S');
    if (out && (syn || life.own < 0)) life.own = e.seq;
    if (!out && (syn || life.other < 0)) life.other = e.seq;
    const [first, their] = out ? [life.own, life.other] : [life.other, life.own];
    const acks = e.flags.includes('.') && their >= 0;
    const ack = acks ? since(e.ack, their) : -1;
    const edge = !acks ? 0 : out ? since(e.window, their) : ack + e.window;
    const again = e.again === true ? 1 : 0;
    const row = [us, out ? 1 : 0, 0, since(e.seq, first), e.octets, ack, edge, again];
    if (!out) life.lastIn = row;
    if (out && e.again === true && e.octets > 0) {
      const text = `sends ${row[3]}–${since(e.seq, first) + e.octets} again`;
      this.say(us, 'again', text, life.history.key);
    }
    if (out && e.probe === true) this.say(us, 'probe', 'sends a probe', life.history.key);
    return row;
  }
}

function since(seq: number, first: number): number {
  return first < 0 ? 0 : (seq - first) | 0;
}

const TIMERS: Readonly<Record<string, string>> = {
  rto: 'nothing has been acknowledged for too long (RFC 6298 §5)',
  tlp: 'a probe for a lost tail (RFC 8985 §7)',
  reorder: 'time is up for what may only be late (RFC 8985 §6)',
  probe: 'is the window still zero? (RFC 9293 §3.8.6.1)',
  delack: 'the acknowledgment has waited long enough (RFC 9293 §3.8.6.3)',
  keep: 'is the peer still there? (RFC 9293 §3.8.4)',
  linger: 'the end of a wait (RFC 9293 §3.6.1)',
  pace: 'the next segments may go (pacing)',
  gate: 'the gate has not answered',
};

const LOSSES: Readonly<Record<string, string>> = {
  rack: 'what was sent later has arrived (RFC 8985 §6)',
  dupack: 'three duplicate acknowledgments (RFC 5681 §3.2)',
  rto: 'the timer has fired (RFC 6298 §5.4)',
  tlp: 'a tail loss probe has shown it (RFC 8985 §7)',
  mtu: 'it was too long for the path (RFC 1191)',
};
