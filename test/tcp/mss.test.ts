// Segment sizes: the MSS option both ways, path MTU, floors.

import { describe, expect, test } from 'vitest';
import { runScript } from '../kit/script.ts';
import type { ScriptBench } from '../kit/script-bench.ts';
import { packet } from './openings.ts';
import { wait } from './segments.ts';

const opening = (options: string, answer: string): string => `
  0 listen 80
  0 < S 0:0(0) win 65535 <${options}>
  +0 > S. 0:0(0) ack 1 <${answer}>
  +.1 < . 1:1(0) ack 1 win 65535 <...>
`;

function firstSegment(options: string, mtu = 1500): number {
  const answer = '...';
  const bench = runScript(
    `
    0 listen 80
    0 < S 0:0(0) win 65535 <${options}>
    +0 > S. 0:0(0) ack 1 <${answer}>
    +.1 < . 1:1(0) ack 1 win 65535
    +0 write(30000)
  `,
    { allowLeftover: true, mtu },
  );
  const octets = packet(bench, 0);
  return octets.length - 20 - ((octets[32] as number) >> 4) * 4;
}

describe('the MSS option', () => {
  // biome-ignore format: a table
  const sent = [
    { mtu: 1500, mss: 1460 },
    { mtu: 1280, mss: 1240 },
    { mtu: 576, mss: 536 },
    { mtu: 9000, mss: 8960 },
    { mtu: 65_535, mss: 65_495 },
  ];
  test.each(sent)(
    'of a link with MTU $mtu says $mss (RFC 9293 MUST-67, SHLD-5, SHLD-6)',
    ({ mtu, mss }) => {
      runScript(
        `0 listen 80\n 0 < S 0:0(0) win 65535 <mss 1000>\n +0 > S. 0:0(0) ack 1 <mss ${mss}>`,
        { mtu },
      );
      runScript(`0 connect 80\n +0 > S 0:0(0) <mss ${mss},sackOK,TS val 1 ecr 0,nop,wscale 7>`, {
        mtu,
      });
    },
  );

  // Payloads of up to 192 octets are copied behind the header; a link then has nothing to cut.
  test.each([99, 146, 180, 192])(
    'a write of %i octets to a peer with MSS 90 goes in segments of 90 (RFC 9293 MUST-16)',
    (octets) => {
      const lens: number[] = [];
      for (let left = octets; left > 0; left -= 90) lens.push(Math.min(left, 90));
      let at = 1;
      const out = lens.map((len) => {
        const text = `+0 > ${at + len > octets ? 'P' : ''}. ${at}:${at + len}(${len}) ack 1`;
        at += len;
        return text;
      });
      runScript(
        `
        0 listen 80
        0 < S 0:0(0) win 65535 <mss 90>
        +0 > S. 0:0(0) ack 1 <...>
        +.1 < . 1:1(0) ack 1 win 65535
        +0 write(${octets})
        ${out.join('\n        ')}
      `,
        { mtu: 1500 },
      );
    },
  );

  // biome-ignore format: a table
  const obeyed = [
    { name: 'the peer\u2019s MSS', options: 'mss 1000', mtu: 1500, payload: 1000 },
    { name: 'no option: 536 octets', options: '', mtu: 1500, payload: 536 },
    { name: 'an MSS over our MTU: the MTU decides', options: 'mss 9000', mtu: 1500, payload: 1460 },
    { name: 'an MSS of 65535', options: 'mss 65535', mtu: 1500, payload: 1460 },
    { name: 'a small MTU', options: 'mss 1460', mtu: 600, payload: 560 },
    { name: 'timestamps come out of the MSS', options: 'mss 1000,TS val 1 ecr 0', mtu: 1500, payload: 988 },
    { name: 'timestamps come out of the MTU', options: 'mss 1460,TS val 1 ecr 0', mtu: 1500, payload: 1448 },
  ];
  test.each(obeyed)(
    '$name: segments of $payload octets (RFC 9293 MUST-15, MUST-16)',
    ({ options, mtu, payload }) => {
      if (!options.includes('TS')) expect(firstSegment(options, mtu)).toBe(payload);
      else {
        const bench = runScript(
          `
        0 listen 80
        0 < S 0:0(0) win 65535 <${options}>
        +0 > S. 0:0(0) ack 1 <mss 1460,TS val 1 ecr 1>
        +.1 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 2 ecr 1>
        +0 write(30000)
      `,
          { allowLeftover: true, mtu },
        );
        expect((bench.outbox[0]?.octets.length as number) - 52).toBe(payload);
      }
    },
  );

  // Linux: tcp_min_snd_mss = 48; data per segment is at least that without options
  test.each([0, 1, 8, 12, 20, 47, 48])(
    'of %d does not make segments of less than 48 octets (CVE-2019-11479)',
    (mss) => {
      expect(firstSegment(`mss ${mss}`)).toBeGreaterThanOrEqual(mss === 0 ? 48 : 36);
      expect(firstSegment(`mss ${mss}`)).toBeLessThanOrEqual(536);
    },
  );

  test.each([49, 64, 88, 256, 536])('of %d is obeyed exactly', (mss) => {
    expect(firstSegment(`mss ${mss}`)).toBe(mss);
  });
});

test('no packet is over the MTU of the link, whatever is written (RFC 9293 MUST-16)', () => {
  for (const mtu of [68, 576, 1280, 1500]) {
    const bench = runScript(
      `${opening('mss 1460', `mss ${Math.max(88, mtu - 40)}`)}\n +0 write(100000)`.replace(
        ' <...>',
        '',
      ),
      {
        allowLeftover: true,
        mtu,
      },
    );
    expect(Math.max(...bench.outbox.map((o) => o.octets.length))).toBe(mtu);
  }
});

test('full-sized segments are sent while there is data for them (RFC 9293 SHLD-28)', () => {
  const bench = runScript(
    `${opening('mss 1000', 'mss 1460')}\n +0 write(5500)`.replace(' <...>', ''),
    { allowLeftover: true },
  );
  expect(bench.outbox.map((o) => o.octets.length - 40)).toEqual([
    1000, 1000, 1000, 1000, 1000, 500,
  ]);
});

describe('the MTU of a link changes while a connection is open', () => {
  const lens = (bench: ScriptBench): number[] => bench.outbox.map((o) => o.octets.length - 40);
  const changed = (mtu: number): ScriptBench => {
    const bench = runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 8960>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 write(1460)
      +0 > P. 1:1461(1460) ack 1
      +.1 < . 1:1(0) ack 1461 win 65535
    `,
      { allowLeftover: true },
    );
    expect(lens(bench)).toEqual([]);
    const link = bench.stack.ip.links[1];
    if (link === null || link === undefined) throw new Error('no link');
    link.mtu = mtu;
    wait(bench, 1);
    bench.socket.send(new Uint8Array(3000));
    wait(bench, 1);
    return bench;
  };

  test('smaller: the next segments fit (RFC 1191 §6.3)', () => {
    expect(lens(changed(600))).toEqual([560, 560, 560, 560, 560, 200]);
  });

  test('larger: the next segments are as large as the peer takes them (RFC 1191 §6.3)', () => {
    expect(lens(changed(9000))).toEqual([3000]);
  });
});

test('a connection whose address is taken away is silent; with the address back it goes on, in segments of what the link carries by then (RFC 1122 §3.3.4.2, RFC 9293 MUST-16)', () => {
  const bench = runScript(
    `
    0 listen 80
    0 < S 0:0(0) win 65535 <mss 8960>
    +0 > S. 0:0(0) ack 1 <mss 8960>
    +.1 < . 1:1(0) ack 1 win 65535
    +0 write(8000)
    +0 > P. 1:8001(8000) ack 1
  `,
    { mtu: 9000, config: { tcp: { mtuProbing: 0 } } },
  );
  const lens = (): number[] => bench.outbox.splice(0).map((o) => o.octets.length - 40);
  bench.stack.removeAddress(bench.linkId, '192.0.2.1', 24);
  bench.link.mtu = 1280;
  wait(bench, 3000);
  expect(lens()).toEqual([]);
  bench.stack.addAddress(bench.linkId, '192.0.2.1', 24);
  wait(bench, 10_000);
  const resent = lens();
  expect(resent.length).toBeGreaterThan(0);
  expect(Math.max(...resent)).toBe(1240);
});
