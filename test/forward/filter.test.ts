// A filter: asked where packets enter, pass and leave, and obeyed.

import { describe, expect, it } from 'vitest';
import { Ruling } from '../../src/forward/packet-view.ts';
import { dstOf, IN, natted, one, Rig, srcOf, tcpOf, udpOf, word } from './rig.ts';

const INSIDE = '10.0.1.9';
const FAR = '203.0.113.7';
const OUTSIDE = '203.0.113.1';
const SYN = 0x02;
const RST = 0x04;

describe('a filter', () => {
  const at = (rig: Rig, ruling: (hook: string) => number): string[] => {
    const seen: string[] = [];
    rig.stack.filter = {
      packet: (v) => {
        seen.push(`${v.hook} ${v.source()}:${v.srcPort} > ${v.destination()}:${v.dstPort}`);
        return ruling(v.hook) as Ruling;
      },
    };
    return seen;
  };

  it('is asked about packets for us, through us and from us', () => {
    const rig = new Rig();
    const seen = at(rig, () => Ruling.ACCEPT);
    rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]));
    rig.fromIn(udpOf(INSIDE, '10.0.1.1', [4000, 53]));
    expect(seen).toEqual([
      `forward ${INSIDE}:4000 > ${FAR}:53`,
      `input ${INSIDE}:4000 > 10.0.1.1:53`,
      `output 10.0.1.1:0 > ${INSIDE}:0`,
    ]);
  });

  it('drops silently, under a reason of its own', () => {
    const rig = new Rig();
    at(rig, () => Ruling.DROP);
    expect(rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]))).toEqual({ out: [], back: [] });
    expect(rig.fromIn(udpOf(INSIDE, '10.0.1.1', [4000, 53]))).toEqual({ out: [], back: [] });
    expect(rig.drops).toEqual({ NETFILTER_DROP: 2 });
  });

  it('rejects with "administratively prohibited" (RFC 1812 §5.2.7.1)', () => {
    const rig = new Rig();
    at(rig, (hook) => (hook === 'output' ? Ruling.ACCEPT : Ruling.REJECT));
    const answer = one(rig.fromIn(udpOf(INSIDE, FAR, [4000, 53])).back);
    expect([answer[20], answer[21], dstOf(answer)]).toEqual([3, 13, INSIDE]);
  });

  it('resets TCP in the name of the destination (RFC 9293 §3.10.7.1)', () => {
    const rig = new Rig();
    at(rig, (hook) => (hook === 'output' ? Ruling.ACCEPT : Ruling.RESET));
    const answer = one(rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], SYN)).back);
    expect(`${srcOf(answer)}:${word(answer, 20)} > ${dstOf(answer)}`).toBe(`${FAR}:80 > ${INSIDE}`);
    expect(answer[33]).toBe(0x14);
    expect(word(answer, 30)).toBe(1001);
    expect(rig.fromIn(tcpOf(INSIDE, FAR, [4000, 80], RST)).back).toEqual([]);
  });

  it('that throws has said no, and drain raises what it threw', () => {
    const rig = new Rig();
    rig.stack.filter = {
      packet: () => {
        throw new Error('oops');
      },
    };
    expect(() => rig.put(IN, udpOf(INSIDE, FAR, [4000, 53]))).toThrow('oops');
    expect(rig.out.sent).toEqual([]);
    expect(rig.drops).toEqual({ NETFILTER_DROP: 1 });
    expect(rig.stack.counters.get('PortsideExceptions')).toBe(0);
  });

  it('is asked once for a connection that is followed', () => {
    const rig = natted();
    let asked = 0;
    rig.stack.filter = {
      flow: (v) => {
        asked++;
        return v.dstPort === 23 ? Ruling.REJECT : Ruling.ACCEPT;
      },
    };
    for (let i = 0; i < 3; i++) rig.fromIn(udpOf(INSIDE, FAR, [4000, 53]));
    rig.fromOut(udpOf(FAR, OUTSIDE, [53, 4000]));
    expect(asked).toBe(1);
    const answer = one(rig.fromIn(udpOf(INSIDE, FAR, [4000, 23])).back);
    expect([answer[20], answer[21]]).toEqual([3, 13]);
  });
});
