// docs/core.md: its example is the one that runs here, and its tables name what exists.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { configure } from '../../src/stack/config.ts';
import { profiles } from '../../src/stack/profiles.ts';
import { tcp4 } from '../kit/packet.ts';
import { Rig } from './rig.ts';

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/core.md');
const FROM = { src: '198.51.100.9', dst: '192.0.2.1', df: true };

describe('docs/core.md', () => {
  test('the example on the page is the one of this test', () => {
    const example = /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const here = read('test/core/rig.ts').replace("'../../src/core.ts'", "'portside/core'");
    expect(example.trim()).toBe(here.slice(here.indexOf('import')).trim());
  });

  test('the example opens a connection, reads and writes under its own clock', () => {
    const rig = new Rig();
    const listener = rig.stack.stream();
    expect(listener.bind('0.0.0.0', 80)).toBe(0);
    expect(listener.listen(5)).toBe(0);
    rig.inject(tcp4(FROM, { srcPort: 5000, dstPort: 80, seq: 0, flags: 2, window: 1000 }));
    rig.inject(tcp4(FROM, { srcPort: 5000, dstPort: 80, seq: 1, ack: 1001, flags: 16 }));
    const payload = Uint8Array.of(104, 105);
    rig.inject(tcp4(FROM, { srcPort: 5000, dstPort: 80, seq: 1, ack: 1001, flags: 24, payload }));
    const child = listener.accept();
    if (typeof child === 'number') throw new Error(`accept answers ${child}`);
    const to = new Uint8Array(10);
    expect([child.receive(to), to[0], to[1]]).toEqual([2, 104, 105]);
    expect(child.send(payload)).toBe(2);
    rig.settle();
    rig.runTo(300_000);
    const flags = rig.sent.map((s) => [s.atUs, s.packet[33], s.packet.length]);
    expect(flags.slice(0, 3)).toEqual([
      [0, 0x12, 44],
      [0, 0x10, 40],
      [0, 0x18, 42],
    ]);
    // what nobody acknowledges goes again
    expect(flags.length).toBeGreaterThan(3);
    expect(child.info()?.state).toBe('ESTAB');
  });
});

describe('docs/departures.md', () => {
  const table = [...read('docs/departures.md').matchAll(/^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|/gm)];
  const rows = table.map(([, knob, rfc, linux]) => [knob, rfc?.trim(), linux?.trim()]);

  test('the table of the profile linux says every knob that it sets, with both values', () => {
    const standard = configure().tcp;
    const wanted = Object.entries(profiles.linux.tcp ?? {}).map(([knob, value]) => {
      return [knob, String(standard[knob as keyof typeof standard]), String(value)];
    });
    expect(rows).toEqual(wanted);
  });
});
