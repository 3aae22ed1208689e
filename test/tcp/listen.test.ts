// Passive opens: what LISTEN answers, the backlog, and ports where nobody listens.

import { describe, expect, test } from 'vitest';
import { Code } from '../../src/base/code.ts';
import { tcp4 } from '../kit/packet.ts';
import { runScript } from '../kit/script.ts';
import { LOCAL, REMOTE } from '../kit/script-bench.ts';
import { PLAIN, STAMPED } from './openings.ts';

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

describe('LISTEN', () => {
  test('a SYN is answered by SYN+ACK with the options that the peer offered (RFC 9293 §3.10.7.2)', () => {
    runScript(PLAIN);
    runScript(STAMPED);
  });

  test('an ACK is answered by RST with its number (RFC 9293 §3.10.7.2)', () => {
    runScript(`
      0 listen 80
      0 iss 0
      0 < . 5:5(0) ack 77 win 100
      +0 > R 77:77(0)
      +0 < P. 5:105(100) ack 78 win 100
      +0 > R 78:78(0)
    `);
  });

  // biome-ignore format: a table
  const ignored = [
    { name: 'RST', flags: 'R' },
    { name: 'RST+ACK', flags: 'R.' },
    { name: 'FIN', flags: 'F' },
    { name: 'SYN+FIN', flags: 'SF' },
    { name: 'SYN+RST', flags: 'SR' },
    { name: 'FIN+PSH+URG (Xmas)', flags: 'FPU' },
    { name: 'no flag at all', flags: '-' },
    { name: 'PSH', flags: 'P' },
    { name: 'URG', flags: 'U' },
  ];
  test.each(ignored)(
    '$name makes no connection and gets no answer (RFC 9293 §3.10.7.2)',
    ({ flags }) => {
      runScript(`
      0 listen 80
      0 < ${flags} 0:0(0) win 100
      +1 > nothing
    `);
    },
  );

  test('data on the SYN is not delivered before the handshake is complete (RFC 9293 §3.4)', () => {
    runScript(`
      0 listen 80
      0 < S 0:100(100) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 expect state ESTAB
      +0 expect data 0
      +.1 < P. 1:101(100) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 101
      +0 expect data 100
    `);
  });

  test('the SYN+ACK is retransmitted with backoff at most 5 times, then forgotten (RFC 4987 §3.2)', () => {
    runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      0 > S. 0:0(0) ack 1 <...>
      1 > S. 0:0(0) ack 1 <...>
      3 > S. 0:0(0) ack 1 <...>
      7 > S. 0:0(0) ack 1 <...>
      15 > S. 0:0(0) ack 1 <...>
      31 > S. 0:0(0) ack 1 <...>
      +100 > nothing
      +0 < . 1:1(0) ack 1 win 100
      +0 > R 1:1(0)
    `,
      { toleranceMs: 400, config: { tcp: { synAckUnproven: 5 } } },
    );
  });

  test('the same SYN again brings the same SYN+ACK again (RFC 9293 §3.10.7.4)', () => {
    runScript(`
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.5 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.1 < . 1:1(0) ack 1 win 65535
      +0 expect state ESTAB
    `);
  });

  test('also when it carries text this time (RFC 9293 §3.10.7.4)', () => {
    runScript(`
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.5 < S 0:100(100) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.1 < P. 1:101(100) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 101
      +0 expect data 100
    `);
  });

  test('with strictEmbryos another SYN in the window ends SYN-RECEIVED with a RST (Linux tcp_check_req)', () => {
    runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <mss 1460>
      +.1 < S 5:5(0) win 65535 <mss 1000>
      +0 forget
      +.1 < . 1:1(0) ack 1 win 65535
      +0 > R 1:1(0)
    `,
      { config: { tcp: { strictEmbryos: true } } },
    );
  });

  test('a wrong ACK in SYN-RECEIVED is answered by RST and changes nothing (RFC 9293 §3.10.7.4)', () => {
    runScript(`
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < . 1:1(0) ack 2 win 65535
      +0 > R 2:2(0)
      +.1 < . 1:1(0) ack 1 win 65535
      +0 expect state ESTAB
    `);
  });

  test('RST in SYN-RECEIVED goes back to LISTEN without a word to the program (RFC 9293 MUST-11)', () => {
    runScript(
      `
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < R 1:1(0) win 0
      +5 > nothing
      +0 < S 9000:9000(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 9001 <...>
    `,
      { config: { tcp: { testIss: 1000 } } },
    );
  });

  test('FIN with the ACK of the handshake leads to CLOSE-WAIT (RFC 9293 §3.10.7.4)', () => {
    runScript(`
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < F. 1:1(0) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 2
      +0 expect ended
      +0 expect state CLOSE-WAIT
    `);
  });

  test('data with the ACK of the handshake is delivered (RFC 9293 §3.10.7.4)', () => {
    runScript(`
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +.1 < P. 1:101(100) ack 1 win 65535
      +0~+.2 > . 1:1(0) ack 101
      +0 expect data 100
    `);
  });

  test('a passive open leaves other connections alone (RFC 9293 MUST-41)', () => {
    const bench = runScript(PLAIN);
    bench.stack.listen({ port: 81, handler: { accept: () => null } });
    expect(() => bench.stack.listen({ port: 80, handler: { accept: () => null } })).toThrow(
      expect.objectContaining({ errno: Code.EADDRINUSE }),
    );
    expect(bench.socket.info().state).toBe('ESTAB');
  });

  test('listening goes on while connections of the port are in SYN-RECEIVED (RFC 9293 MUST-42)', () => {
    runScript(`
      0 listen 80
      0 < S 0:0(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 1 <...>
      +0 use B
      +0 < S 500:500(0) win 65535 <mss 1000>
      +0 > S. 0:0(0) ack 501 <...>
      +.1 < . 501:501(0) ack 1 win 65535
      +0 expect state ESTAB
    `);
  });
});

describe('the accept queue', () => {
  test('a connection that the program refuses is reset (RFC 9293 §3.10.5)', () => {
    const bench = runScript('0 listen 81');
    const options = { flags: 2, srcPort: 5000, dstPort: 82, seq: 0 };
    bench.stack.listen({ port: 82, handler: { accept: () => null } });
    bench.inject({ kind: 'raw', octets: tcp4({ src: REMOTE, dst: LOCAL }, options) });
    const synAck = bench.outbox.shift();
    expect(synAck?.octets[33]).toBe(0x12);
    const iss = new DataView((synAck as { octets: Uint8Array }).octets.buffer).getUint32(24);
    const ack = { ...options, flags: 16, seq: 1, ack: iss + 1 };
    bench.inject({ kind: 'raw', octets: tcp4({ src: REMOTE, dst: LOCAL }, ack) });
    expect((bench.outbox.shift()?.octets[33] ?? 0) & 4).toBe(4);
  });

  test('connections beyond the backlog are not completed, and no memory grows (RFC 9293 §3.10.1)', () => {
    const bench = runScript('0 listen 81');
    const server = bench.stack.listen({ port: 82, backlog: 4, handler: { accept: () => null } });
    server.pause();
    for (let port = 1000; port < 1100; port++) {
      const syn = { flags: 2, srcPort: port, dstPort: 82, seq: 0 };
      bench.inject({ kind: 'raw', octets: tcp4({ src: REMOTE, dst: LOCAL }, syn) });
      const synAck = bench.outbox.shift();
      if (synAck === undefined) continue;
      const iss = new DataView(synAck.octets.buffer).getUint32(24);
      const ack = { ...syn, flags: 16, seq: 1, ack: iss + 1 };
      bench.inject({ kind: 'raw', octets: tcp4({ src: REMOTE, dst: LOCAL }, ack) });
    }
    // Linux lets one more than the backlog wait
    expect(server.waiting).toBeGreaterThanOrEqual(4);
    expect(server.waiting).toBeLessThanOrEqual(5);
    expect(bench.stack.counters.get('TcpExtListenOverflows')).toBeGreaterThan(0);
  });

  test('a listener that closes resets those that wait (RFC 9293 §3.10.4)', () => {
    const bench = runScript('0 listen 81');
    const server = bench.stack.listen({ port: 82, handler: { accept: () => null } });
    server.pause();
    const syn = { flags: 2, srcPort: 1000, dstPort: 82, seq: 0 };
    bench.inject({ kind: 'raw', octets: tcp4({ src: REMOTE, dst: LOCAL }, syn) });
    const synAck = bench.outbox.shift() as { octets: Uint8Array };
    const iss = new DataView(synAck.octets.buffer).getUint32(24);
    const ack = { ...syn, flags: 16, seq: 1, ack: iss + 1 };
    bench.inject({ kind: 'raw', octets: tcp4({ src: REMOTE, dst: LOCAL }, ack) });
    expect(server.waiting).toBe(1);
    server.close();
    bench.runTo(bench.elapsedUs);
    expect((bench.outbox.shift()?.octets[33] ?? 0) & 4).toBe(4);
  });
});

describe('a port where nobody listens', () => {
  // RFC 9293 §3.10.7.1: the answer is acceptable to the sender
  // biome-ignore format: a table
  const refusals = [
    { name: 'SYN', segment: 'S 100:100(0) win 9', answer: 'R. 0:0(0) ack 101' },
    { name: 'SYN with data', segment: 'S 100:150(50) win 9', answer: 'R. 0:0(0) ack 151' },
    { name: 'SYN+FIN', segment: 'SF 100:100(0) win 9', answer: 'R. 0:0(0) ack 102' },
    { name: 'FIN', segment: 'F 100:100(0) win 9', answer: 'R. 0:0(0) ack 101' },
    { name: 'no flag', segment: '- 100:100(0) win 9', answer: 'R. 0:0(0) ack 100' },
    { name: 'ACK', segment: '. 100:100(0) ack 55 win 9', answer: 'R 55:55(0)' },
    { name: 'SYN+ACK', segment: 'S. 100:100(0) ack 55 win 9', answer: 'R 55:55(0)' },
    { name: 'FIN+ACK with data', segment: 'FP. 100:110(10) ack 55 win 9', answer: 'R 55:55(0)' },
  ];
  test.each(refusals)(
    '$name is answered by an acceptable RST (RFC 9293 §3.10.7.1)',
    ({ segment, answer }) => {
      runScript(`
      0 local_port 99
      0 iss 0
      0 < ${segment}
      +0 > ${answer} win 0
    `);
    },
  );

  test.each([
    'R 5:5(0) win 0',
    'R. 5:5(0) ack 3 win 0',
    'SR 5:5(0) win 0',
    'FR. 5:5(0) ack 3 win 0',
  ])('%s gets no answer: never RST for RST (RFC 9293 §3.10.7.1)', (segment) => {
    runScript(`
        0 local_port 99
        0 < ${segment}
        +.1 > nothing
      `);
  });

  test('a refusal is one packet of at most 40 octets whatever came (amplification)', () => {
    const bench = runScript('0 local_port 99\n 0 iss 0\n 0 < P. 1:1001(1000) ack 1 win 100', {
      allowLeftover: true,
    });
    expect(bench.outbox.map((o) => o.octets.length)).toEqual([40]);
  });
});

describe('addresses that may not open a connection', () => {
  const syn = (src: string, dst: string, srcPort = 5000): Uint8Array =>
    tcp4({ src, dst }, { srcPort, dstPort: 80, flags: 2, seq: 1 });

  // biome-ignore format: a table
  const destinations = [
    { name: 'limited broadcast', dst: '255.255.255.255' },
    { name: 'directed broadcast', dst: '192.0.2.255' },
    { name: 'multicast', dst: '224.0.0.1' },
    { name: 'another host', dst: '192.0.2.77' },
  ];
  test.each(destinations)(
    'a SYN to $name ($dst) is dropped silently (RFC 9293 MUST-57)',
    ({ dst }) => {
      const bench = runScript(`0 listen 80\n 0 < raw ${hex(syn(REMOTE, dst))}\n +1 > nothing`);
      expect(bench.stack.counters.get('TcpPassiveOpens')).toBe(0);
    },
  );

  // biome-ignore format: a table
  const sources = [
    { name: 'limited broadcast', src: '255.255.255.255' },
    { name: 'directed broadcast of our net', src: '192.0.2.255' },
    { name: 'multicast', src: '224.0.0.1' },
    { name: 'multicast, the last', src: '239.255.255.255' },
    { name: 'class E', src: '240.0.0.1' },
    { name: 'this network', src: '0.0.0.0' },
    { name: '0/8', src: '0.1.2.3' },
    { name: 'loopback', src: '127.0.0.1' },
    { name: 'loopback, the last', src: '127.255.255.254' },
    { name: 'our own address', src: LOCAL },
  ];
  test.each(sources)(
    'a SYN from $name ($src) is dropped silently (RFC 9293 MUST-63)',
    ({ src }) => {
      const bench = runScript(`0 listen 80\n 0 < raw ${hex(syn(src, LOCAL))}\n +1 > nothing`);
      expect(bench.stack.counters.get('TcpPassiveOpens')).toBe(0);
    },
  );

  test('a SYN from our own address and port is dropped (Land, CVE-1999-0016)', () => {
    const bench = runScript(`0 listen 80\n 0 < raw ${hex(syn(LOCAL, LOCAL, 80))}\n +1 > nothing`);
    expect(bench.stack.counters.snapshot().drops['IP_INVALID_SOURCE']).toBe(1);
  });

  // biome-ignore format: a table
  const routed = [
    { name: 'loose source route', options: [131, 7, 4, 198, 51, 100, 77, 0] },
    { name: 'strict source route', options: [137, 7, 4, 198, 51, 100, 77, 0] },
    { name: 'a completed source route', options: [131, 7, 8, 198, 51, 100, 77, 0] },
  ];
  test.each(routed)(
    'a SYN with $name is refused, not answered (waives RFC 9293 MUST-51, MUST-52, MUST-53, SHLD-24)',
    ({ options }) => {
      const packet = tcp4(
        { src: REMOTE, dst: LOCAL, options: Uint8Array.from(options) },
        { srcPort: 5000, dstPort: 80, flags: 2, seq: 1 },
      );
      const bench = runScript(`0 listen 80\n 0 < raw ${hex(packet)}\n +1 > nothing`);
      expect(bench.stack.counters.snapshot().drops['IP_OPTIONS']).toBe(1);
    },
  );

  // biome-ignore format: a table
  const harmless = [
    { name: 'record route', options: [7, 7, 4, 0, 0, 0, 0, 0] },
    { name: 'timestamp', options: [68, 8, 5, 0, 0, 0, 0, 0] },
    { name: 'router alert', options: [148, 4, 0, 0] },
    { name: 'an unknown option', options: [30, 4, 1, 2] },
    { name: 'NOPs', options: [1, 1, 1, 1] },
  ];
  test.each(harmless)(
    'a SYN with $name in its IP header is answered as any (RFC 9293 MUST-50)',
    ({ options }) => {
      const packet = tcp4(
        { src: REMOTE, dst: LOCAL, options: Uint8Array.from(options) },
        { srcPort: 54_321, dstPort: 80, flags: 2, seq: 0 },
      );
      runScript(`0 listen 80\n 0 < raw ${hex(packet)}\n +0 > S. 0:0(0) ack 1 <mss 1460>`);
    },
  );
});
