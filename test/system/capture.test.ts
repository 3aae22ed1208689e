// An outside judge: tshark's checksum verification and expert analysis find nothing to say about our
// traffic with the kernel on a clean link, seen from our side (link/capture.ts) and from the kernel's
// (tcpdump, every offload off).

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { closeServices, startServices } from '../../src/cli/service-set.ts';
import { createHost } from '../../src/node/host.ts';
import type { HostOptions } from '../../src/node/options.ts';
import { TunLink } from '../../src/node/tun.ts';
import { CapturedTun } from './captured.ts';
import { FULL, KERNEL, Lab, sleep, US, until } from './netns.ts';

/** What is no fault: windows that fill and open, and keep-alive. */
const FAULTS =
  '(tcp.analysis.flags && !tcp.analysis.window_update && !tcp.analysis.window_full && ' +
  '!tcp.analysis.zero_window && !tcp.analysis.keep_alive && !tcp.analysis.keep_alive_ack) || ' +
  'tcp.checksum.status==0';
/** The kernel's sums may come out as 0xffff (RFC 1624), one in 65,536: tshark warns of them. */
const KERNEL_FFFF = `!(ip.src==${KERNEL} && tcp.checksum==0xffff)`;
/** Of these, a probe that came too early, and its answer. */
const PROBES =
  'tcp.analysis.retransmission || tcp.analysis.spurious_retransmission || ' +
  'tcp.analysis.duplicate_ack';
const BAD_SUMS = 'ip.checksum.status==0 || udp.checksum.status==0 || icmp.checksum.status==0';
const BYTES = FULL ? 200_000_000 : 10_000_000;
/** Runs until one is clean. */
const ATTEMPTS = 3;
const LIMIT_MS = FULL ? 120_000 : 30_000;

async function tshark(lab: Lab, file: string, filter: string): Promise<string> {
  const settings = [
    'tcp.check_checksum:TRUE',
    'ip.check_checksum:TRUE',
    'udp.check_checksum:TRUE',
    // Bodies of many megabytes are not to be put together again: that takes minutes.
    'tcp.desegment_tcp_streams:FALSE',
  ];
  const options = settings.flatMap((setting) => ['-o', setting]);
  const run = await lab.run(['tshark', '-n', '-r', file, ...options, '-Y', filter], {
    timeoutMs: 120_000,
  });
  expect(run.code, run.err).toBe(0);
  return run.out;
}

/** Some of everything: echo and fragments, small requests, bulk both ways, half-close, UDP. */
async function traffic(lab: Lab, limit: readonly string[]): Promise<void> {
  const commands = [
    ['ping', '-n', '-q', '-c', '5', '-i', '0.05', US],
    ['ping', '-n', '-q', '-c', '3', '-i', '0.05', '-s', '9000', US],
    ['curl', '-sS', '-f', `http://${US}/`],
    ['curl', '-sS', '-f', ...limit, '-o', '/dev/null', `http://${US}/bytes/${BYTES}`],
    [
      'sh',
      '-c',
      `head -c ${BYTES} /dev/zero | curl -sS -f ${limit.join(' ')} -T - http://${US}/sha256`,
    ],
    ['sh', '-c', `seq 200000 | nc -N ${US} 7 | tail -1`],
    ['sh', '-c', `echo hello | nc -u -w 1 -p 20007 ${US} 7`],
    ['ab', '-q', '-n', '200', '-c', '10', `http://${US}/`],
    ['iperf3', '-c', US, '-u', '-b', '10M', '-t', '1'],
    ['iperf3', '-c', US, '-b', '40M', '-t', '1', '--bidir'],
  ];
  for (const command of commands) {
    const run = await lab.run(command, { timeoutMs: LIMIT_MS });
    expect(run.code, `${command.join(' ')}\n${run.out}${run.err}`).toBe(0);
  }
  const refused = await lab.run(['nc', '-z', '-w', '2', US, '81']);
  expect(refused.code).toBe(1);
}

/** PORTSIDE_KEEP=DIR keeps the captures for a look with Wireshark. */
function keep(file: string): void {
  const dir = process.env['PORTSIDE_KEEP'];
  if (dir !== undefined && existsSync(file)) copyFileSync(file, join(dir, basename(file)));
}

const WANTED = { echo: true, discard: true, chargen: true, http: true, iperf3: 5201 } as const;

/** What is wrong at any time, however busy the machine is. Answers the file. */
async function judge(lab: Lab, file: string): Promise<string> {
  keep(file);
  // The file holds what it should: connections of the HTTP service from both sides to their end.
  const seen = await tshark(lab, file, 'tcp.flags.fin==1 && tcp.srcport==80');
  expect(seen.trim().split('\n').length).toBeGreaterThan(100);
  expect(await tshark(lab, file, BAD_SUMS)).toBe('');
  return file;
}

/**
 * A process that the machine does not let run for some milliseconds makes the other side probe
 * (RFC 8985 §7): a retransmission that nobody is to blame for. One of a few runs must be clean;
 * where other programs keep every core busy all the time, nothing but such probes may be seen.
 */
async function oneIsClean(run: (i: number) => Promise<string>): Promise<void> {
  let file = '';
  for (let i = 1; i <= ATTEMPTS; i++) {
    file = await run(i);
    if ((await tshark(lab, file, `(${FAULTS}) && ${KERNEL_FFFF}`)) === '') return;
  }
  const isBusy = (loadavg()[0] ?? 0) > cpus().length;
  const faults = `(${FAULTS}) && ${KERNEL_FFFF}`;
  const filter = isBusy ? `${faults} && !(${PROBES})` : faults;
  expect(await tshark(lab, file, filter)).toBe('');
}

/** Runs the traffic against a host with all services, then closes it. */
async function withHost(lab: Lab, link: HostOptions['link'], limit: string[]): Promise<void> {
  const host = await createHost({ link, addresses: [`${US}/24`] });
  const services = await startServices(host, WANTED);
  host.ref();
  try {
    await traffic(lab, limit);
    await sleep(100);
    expect(host.stack.counters.get('PortsideExceptions')).toBe(0);
  } finally {
    closeServices(services);
    await host.close({ deadlineMs: 200 });
  }
}

async function dump(lab: Lab, file: string): Promise<ChildProcess> {
  const child = lab.spawn([
    ...['tcpdump', '-i', 'portside0', '-n', '-s', '0', '-B', '65536', '-U', '-w', file],
  ]);
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until('tcpdump listens', () => said.includes('listening on'));
  return child;
}

const lab = new Lab();
afterAll(() => lab.close());

test('our own capture passes tshark on a clean link', { timeout: 8 * LIMIT_MS }, () =>
  oneIsClean(async (i) => {
    const file = join(lab.dir, `ours-${i}.pcapng`);
    await withHost(lab, (slab) => new CapturedTun(slab, file, lab.name, KERNEL), []);
    return judge(lab, file);
  }),
);

test("the kernel's, without any offload, passes it, too", { timeout: 8 * LIMIT_MS }, () =>
  oneIsClean(async (i) => {
    const file = join(lab.dir, `kernel-${i}.pcap`);
    const tun = TunLink.open({ netns: lab.name, vnetHdr: false });
    tun.configure({ addresses: [{ address: KERNEL, prefix: 24 }], up: true });
    const tcpdump = await dump(lab, file);
    // A TUN queues 500 packets: faster than we read, the kernel's own bursts would overflow it.
    await withHost(lab, () => tun, ['--limit-rate', FULL ? '20M' : '8M']);
    if (tcpdump.exitCode === null) {
      tcpdump.kill('SIGINT');
      await once(tcpdump, 'close');
    }
    return judge(lab, file);
  }),
);
