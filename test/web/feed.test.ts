import { describe, expect, test } from 'vitest';
import { type BriefRow, briefRows } from '../../src/inspect/brief.ts';
import type { SocketRow } from '../../src/stack/snapshot.ts';
import { Feed } from '../../src/web/feed.ts';
import type { Hello, Snapshot } from '../../src/web/frames.ts';
import { History } from '../../src/web/history.ts';
import { newCursor, type Source } from '../../src/web/source.ts';

class Given implements Source {
  next: Snapshot = { us: 1, epoch: 1 };
  hello(): Hello {
    throw new Error('not asked');
  }
  async look(): Promise<Snapshot> {
    return this.next;
  }
  packet(): null {
    return null;
  }
  async act(): Promise<unknown> {
    return null;
  }
  watched(): void {}
  close(): void {}
}

function listener(port: number): SocketRow {
  return {
    ...{ sk: 1, netid: 'tcp', state: 'LISTEN', recvQ: 0, sendQ: 511, localAddress: '10.0.0.2' },
    ...{ localPort: port, remoteAddress: '*', remotePort: 0 },
  };
}

function connection(port: number, over: Partial<SocketRow> = {}): SocketRow {
  return {
    ...{ sk: 2, netid: 'tcp', state: 'ESTAB', recvQ: 0, sendQ: 0, localAddress: '10.0.0.2' },
    ...{ localPort: 80, remoteAddress: '10.0.0.1', remotePort: port },
    ...over,
  };
}

describe('a feed', () => {
  test('tells rows once, again when they change, and when they are gone', async () => {
    const source = new Given();
    const feed = new Feed(source);
    const rows = briefRows([listener(80), connection(4000), connection(4001)]);
    source.next = { us: 1, epoch: 1, sockets: rows };
    const keys = (list: readonly BriefRow[] | undefined): string[] =>
      (list ?? []).map((r) => r.key);
    const first = await feed.next();
    expect(keys(first?.sockets?.set)).toEqual([
      'tcp 10.0.0.2:80 *',
      'tcp 10.0.0.2:80 10.0.0.1:4000',
      'tcp 10.0.0.2:80 10.0.0.1:4001',
    ]);
    expect(await feed.next()).toBeNull();
    const changed = briefRows([listener(80), connection(4000, { recvQ: 5 })]);
    source.next = { us: 2, epoch: 1, sockets: changed };
    const second = await feed.next();
    expect(keys(second?.sockets?.set)).toEqual(['tcp 10.0.0.2:80 10.0.0.1:4000']);
    expect(second?.sockets?.gone).toEqual([' tcp 10.0.0.2:80 10.0.0.1:4001']);
  });

  test('tells counters that have moved', async () => {
    const source = new Given();
    const feed = new Feed(source);
    source.next = { us: 1, epoch: 1, counters: { TcpInSegs: 4, TcpOutSegs: 3 } };
    expect((await feed.next())?.counters).toEqual({ TcpInSegs: 4, TcpOutSegs: 3 });
    source.next = { us: 2, epoch: 1, counters: { TcpInSegs: 4, TcpOutSegs: 5 } };
    expect((await feed.next())?.counters).toEqual({ TcpOutSegs: 5 });
  });

  test('begins anew when time does', async () => {
    const source = new Given();
    const feed = new Feed(source);
    source.next = { us: 9, epoch: 1, counters: { TcpInSegs: 4 } };
    expect((await feed.next())?.reset).toBeUndefined();
    source.next = { us: 1, epoch: 2, counters: { TcpInSegs: 4 } };
    expect(await feed.next()).toEqual({ us: 1, reset: true, counters: { TcpInSegs: 4 } });
  });
});

describe('rows in short', () => {
  test('two listeners of one port have keys of their own', () => {
    const keys = briefRows([listener(80), listener(80)]).map((row) => row.key);
    expect(keys).toEqual(['tcp 10.0.0.2:80 *', 'tcp 10.0.0.2:80 * #1']);
  });

  test('IPv6 addresses stand in brackets', () => {
    const row = connection(4000, { localAddress: '::1', remoteAddress: 'fe80::2' });
    expect(briefRows([row])[0]?.key).toBe('tcp [::1]:80 [fe80::2]:4000');
  });
});

describe('the history of a connection', () => {
  test('is told from where a reader stands, and from the beginning to another', () => {
    const history = new History('a', 'tcp 1 2');
    history.begin('SYN-SENT');
    history.move(2, 'SYN-SENT', 'ESTAB', 'SYN-ACK');
    history.segment([1, 1, 2, 0, 0, -1, 0, 0]);
    const cursor = newCursor();
    const first = history.since(cursor, null);
    expect(first.fresh).toBe(true);
    expect(first.moves).toEqual([{ us: 2, from: 'SYN-SENT', to: 'ESTAB', why: 'SYN-ACK' }]);
    expect(first.segments).toHaveLength(1);
    history.segment([2, 0, 18, 0, 0, 1, 65_536, 0]);
    const second = history.since(cursor, null);
    expect([second.fresh, second.moves.length, second.segments.length]).toEqual([false, 0, 1]);
    expect(new History('b', 'tcp 1 2').since(cursor, null).fresh).toBe(true);
  });

  test('keeps at most 20,000 segments and says nothing twice', () => {
    const history = new History('a', 'tcp 1 2');
    const cursor = newCursor();
    for (let i = 0; i < 30_000; i++) history.segment([i, 1, 16, i, 1, 0, 0, 0]);
    const { segments } = history.since(cursor, null);
    expect(segments.length).toBeLessThanOrEqual(20_000);
    expect(segments.at(-1)?.[0]).toBe(29_999);
    expect(history.since(cursor, null).segments).toEqual([]);
  });
});
