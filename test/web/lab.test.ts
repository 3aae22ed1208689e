// The laboratory: each scenario teaches what it says, tells the same story every time, and obeys the
// reader's hand.

import { describe, expect, test } from 'vitest';
import { SCENARIOS, scenarioOf } from '../../src/sim/lab/scenarios.ts';
import type { Scenario } from '../../src/sim/lab/stage.ts';
import type { StateMove } from '../../src/web/frames.ts';
import { LabSource } from '../../src/web/laboratory.ts';
import { ladder } from '../../src/web/ladder.ts';
import { Player } from '../../src/web/player.ts';
import { newCursor } from '../../src/web/source.ts';

const CLIENT = 'tcp 10.0.0.1:40001 10.0.0.2:80';
const SERVER = 'tcp 10.0.0.2:80 10.0.0.1:40001';

function find(name: string): Scenario {
  const scenario = scenarioOf(name);
  if (scenario === null) throw new Error(`no scenario ${name}`);
  return scenario;
}

function played(name: string): Player {
  const player = new Player(find(name));
  player.runTo(player.scenario.untilUs);
  return player;
}

function moves(player: Player, host: string, key: string): string[] {
  const all: StateMove[] = player.logOf(host)?.historyOf(key)?.since(newCursor(), null).moves ?? [];
  return all.map(({ from, to }) => `${from} → ${to}`);
}

function count(player: Player, host: string, name: string): number {
  const found = player.hosts.find((one) => one.name === host);
  return found?.stack.counters.snapshot().counters[name] ?? -1;
}

describe('every scenario', () => {
  test('has a story of its own, with sections of RFCs to look at', () => {
    const names = SCENARIOS.map((one) => one.name);
    expect(names).toEqual([
      ...['handshake', 'half-close', 'simultaneous-open', 'port-in-use', 'fast-retransmit'],
      ...['rto-backoff', 'zero-window', 'nagle', 'slow-start', 'cubic-bbr', 'pmtu-black-hole'],
      ...['syn-flood', 'client-server', 'peer-to-peer'],
    ]);
    for (const { teaches, look } of SCENARIOS) {
      expect(teaches.length).toBeGreaterThan(150);
      expect(look.length).toBeGreaterThan(2);
    }
    const cited = SCENARIOS.filter(({ look }) => look.some((text) => /RFC \d+/.test(text)));
    expect(cited.length).toBeGreaterThan(12);
  });

  test.each(['handshake', 'fast-retransmit', 'rto-backoff', 'syn-flood', 'port-in-use'])(
    '%s is the same packet for packet when it is played again',
    (name) => {
      expect(played(name).world.hash).toBe(played(name).world.hash);
    },
  );
});

describe('what they teach', () => {
  test('the handshake as a ladder of text', () => {
    const lines = ladder(find('handshake'), Infinity);
    const packets = lines.filter((line) => line.includes('──▶')).map((line) => line.trim());
    expect(packets.map((line) => line.replace(/\s+\(RFC.*/, '').replace(/\s+/g, ' '))).toEqual([
      '1.000 client ──▶ 40001 → 80 [SYN] Seq=0 Win=64240 Len=0 MSS=1460 SACK_PERM WS=128',
      '11.000 server ──▶ 80 → 40001 [SYN, ACK] Seq=0 Ack=1 Win=64240 Len=0 MSS=1460 SACK_PERM WS=128',
      '21.000 client ──▶ 40001 → 80 [PSH, ACK] Seq=1 Ack=1 Win=64256 Len=100',
      '31.000 server ──▶ 80 → 40001 [PSH, ACK] Seq=1 Ack=101 Win=64384 Len=600',
      '41.000 client ──▶ 40001 → 80 [FIN, ACK] Seq=101 Ack=601 Win=65408 Len=0',
      '51.000 server ──▶ 80 → 40001 [FIN, ACK] Seq=601 Ack=102 Win=64384 Len=0',
      '61.000 client ──▶ 40001 → 80 [ACK] Seq=102 Ack=602 Win=65408 Len=0',
    ]);
    expect(lines.join('\n')).toContain('client    · CLOSED → SYN-SENT: active open');
    expect(lines.join('\n')).toContain('(RFC 9293 §3.5: asks to connect)');
  });

  test('the handshake goes through the states of RFC 9293 figure 5', () => {
    const player = played('handshake');
    expect(moves(player, 'client', CLIENT)).toEqual([
      ...['CLOSED → SYN-SENT', 'SYN-SENT → ESTAB', 'ESTAB → FIN-WAIT-1'],
      ...['FIN-WAIT-1 → FIN-WAIT-2', 'FIN-WAIT-2 → TIME-WAIT', 'TIME-WAIT → CLOSED'],
    ]);
    expect(moves(player, 'server', SERVER)).toEqual([
      ...['LISTEN → SYN-RECV', 'SYN-RECV → ESTAB', 'ESTAB → CLOSE-WAIT'],
      ...['CLOSE-WAIT → LAST-ACK', 'LAST-ACK → CLOSED'],
    ]);
  });

  test('simultaneous open and close take the ways that nobody else takes, RFC 9293 §3.5', () => {
    const player = played('simultaneous-open');
    const [a, b] = [
      moves(player, 'client', 'tcp 10.0.0.1:4000 10.0.0.2:5000'),
      moves(player, 'server', 'tcp 10.0.0.2:5000 10.0.0.1:4000'),
    ];
    expect(a).toEqual(b);
    expect(a.slice(0, 3)).toEqual(['CLOSED → SYN-SENT', 'SYN-SENT → SYN-RECV', 'SYN-RECV → ESTAB']);
    expect(a).toContain('FIN-WAIT-1 → CLOSING');
  });

  test('half-close: data flows to FIN-WAIT-2, RFC 9293 §3.6', () => {
    const player = played('half-close');
    expect(moves(player, 'client', CLIENT)).toContain('FIN-WAIT-2 → TIME-WAIT');
    const late = player.packets.since(0).filter((p) => p.host === 'client' && p.dir === 'in');
    expect(late.some((p) => p.info.includes('Len=1448'))).toBe(true);
  });

  test('one segment is lost and sent again without a timeout, RFC 8985 §6', () => {
    const player = played('fast-retransmit');
    const lost = player.packets.since(0).filter((p) => p.verdict === 'lost on the way');
    const again = player.packets.since(0).filter((p) => p.dir === 'out' && p.again);
    expect([lost.length, again.length]).toEqual([1, 1]);
    expect(count(player, 'client', 'TcpRetransSegs')).toBe(1);
    expect(count(player, 'client', 'TcpExtTCPTimeouts')).toBe(0);
    const cursor = newCursor();
    const part = player.logOf('client')?.historyOf(CLIENT)?.since(cursor, null);
    const sacks = part?.segments.filter((row) => row.length > 8) ?? [];
    expect(sacks.length).toBeGreaterThan(5);
  });

  test('the RTO doubles while nothing passes, RFC 6298 §5.5', () => {
    const player = played('rto-backoff');
    expect(count(player, 'client', 'TcpExtTCPTimeouts')).toBeGreaterThan(3);
    const set = player.log.since(0).filter((e) => e.text.startsWith('the timer is set to'));
    const seconds = set.map((e) => Number(/[\d.]+/.exec(e.text)?.[0]));
    expect(seconds.length).toBeGreaterThan(2);
    for (const [i, s] of seconds.slice(1).entries()) {
      expect(s / (seconds[i] as number)).toBeCloseTo(2, 1);
    }
  });

  test('a window of zero is probed and opens again, RFC 9293 §3.8.6.1', () => {
    const player = played('zero-window');
    expect(count(player, 'client', 'TcpExtTCPWinProbe')).toBeGreaterThan(1);
    expect(count(player, 'server', 'TcpExtTCPFromZeroWindowAdv')).toBe(1);
  });

  test('with Nagle an answer takes a delayed acknowledgment, without it one round trip', () => {
    const [slow, fast] = played('nagle').stage.drawings[0]?.series ?? [];
    const ms = (line: typeof slow): number[] => (line?.points ?? []).map(([, y]) => y);
    expect(Math.max(...ms(slow))).toBeGreaterThan(40);
    expect(Math.max(...ms(fast))).toBeLessThan(5);
  });

  test('behind a black hole segments get smaller and everything arrives, RFC 4821 §7.6', () => {
    const player = played('pmtu-black-hole');
    const lost = player.packets.since(0).filter((p) => p.verdict === 'too long for the path');
    expect(lost.length).toBeGreaterThan(3);
    expect(moves(player, 'client', CLIENT).at(-1)).toBe('TIME-WAIT → CLOSED');
  });

  test('a client gets through a SYN flood by a cookie, RFC 4987 §3.6', () => {
    const player = played('syn-flood');
    expect(count(player, 'server', 'TcpExtSyncookiesSent')).toBeGreaterThan(50);
    expect(count(player, 'server', 'TcpExtSyncookiesRecv')).toBe(1);
    expect(player.stage.said.some((s) => s.text.startsWith('reads 300 octets'))).toBe(true);
  });

  test('a port in use is refused, a port without a listener answers with RST', () => {
    const texts = played('port-in-use').stage.said.map((s) => s.text);
    expect(texts).toContain('once more on 10.0.0.2:80: refused, EADDRINUSE');
    expect(texts).toContain('port 81: errno -111, ECONNREFUSED');
    expect(texts).toContain('errno -111 on the socket');
  });

  test('from a server the time grows with the hosts, among peers it hardly does', () => {
    const [server, peers] = played('peer-to-peer').stage.drawings[0]?.series ?? [];
    const at = (line: typeof server, n: number): number =>
      line?.points.find(([x]) => x === n)?.[1] ?? NaN;
    expect(at(server, 8) / at(server, 1)).toBeGreaterThan(6);
    expect(at(peers, 8) / at(peers, 1)).toBeLessThan(4);
    expect(at(peers, 8)).toBeLessThan(at(server, 8) / 2);
  });
});

describe('the hand of the reader', () => {
  test('steps forward and back over the same packets', () => {
    const player = new Player(find('handshake'));
    const sent = (p: Player): string[] =>
      p.packets
        .since(0)
        .filter((one) => one.dir === 'out')
        .map((one) => one.info);
    for (let i = 0; i < 4; i++) player.stepPacket();
    expect(sent(player)).toHaveLength(4);
    const back = player.back();
    expect(sent(back)).toEqual(sent(player).slice(0, 3));
    back.stepPacket();
    expect(sent(back)).toEqual(sent(player));
  });

  test('loses the next packet of a host, and the same one when it is played again', () => {
    const player = new Player(find('handshake'));
    player.fate('server', -1);
    player.runTo(player.scenario.untilUs);
    const lost = player.packets.since(0).filter((p) => p.verdict === 'lost on the way');
    expect(lost.map((p) => p.info.slice(0, 23))).toEqual(['80 → 40001 [SYN, ACK] S']);
    expect(player.sent).toBeGreaterThan(7);
    const again = new Player(player.scenario, player.fates);
    again.runTo(player.scenario.untilUs);
    expect(again.world.hash).toBe(player.world.hash);
  });

  test('plays by the time that passes outside, begins anew and changes the scenario', async () => {
    let ms = 0;
    const source = new LabSource(find('handshake'), () => ms);
    const wants = { views: ['sockets', 'events', 'packets'], host: '', conn: null };
    const cursor = newCursor();
    expect((await source.look(wants, cursor)).us).toBe(0);
    await source.act('speed', { speed: 0.1 });
    ms += 200;
    const seen = await source.look(wants, cursor);
    expect(seen.us).toBe(20_000);
    expect(seen.packets?.map((p) => `${p.host} ${p.dir}`)).toEqual([
      ...['client out', 'server in', 'server out'],
    ]);
    await source.act('pause', {});
    ms += 1000;
    expect((await source.look(wants, cursor)).us).toBe(20_000);
    await source.act('choose', { name: 'port-in-use' });
    const other = await source.look(wants, newCursor());
    expect([other.epoch, other.lab?.scenario]).toEqual([2, 'port-in-use']);
    await expect(source.act('choose', { name: 'nothing' })).rejects.toThrow('no scenario');
  });

  test('takes a packet apart, field by field', async () => {
    const source = new LabSource(find('handshake'), () => 0);
    await source.act('step', {});
    const { tree, hex, row } = source.packet(1) ?? { tree: [], hex: '', row: null };
    expect(row?.info).toContain('[SYN]');
    expect(hex.slice(0, 2)).toBe('45');
    expect(tree.map((n) => n.name)).toEqual(['IPv4', 'TCP']);
    const tcp = tree[1]?.children ?? [];
    expect(tcp.find((n) => n.name === 'Destination port')).toEqual({
      ...{ name: 'Destination port', value: '80', off: 22, len: 2, rfc: 'RFC 9293 §3.1' },
    });
    const options = tcp.find((n) => n.name === 'Options')?.children ?? [];
    expect(options[0]).toEqual({
      ...{ name: 'Maximum segment size', value: '1460', off: 40, len: 4, rfc: 'RFC 9293 §3.7.1' },
    });
  });
});
