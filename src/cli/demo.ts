// `portside demo`, what `npm start` runs: a host on a TUN in a network namespace of its own proves
// itself with the real ping, curl and, where it is installed, iperf3; then it stays up on a
// terminal.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import type { Host } from '../node/host.ts';
import { IPERF3_PORT } from '../services/iperf3.ts';
import { bytesDigest } from './bytes.ts';
import { failWith } from './report.ts';
import { closeServices, startServices } from './service-set.ts';
import { boundTheEnd, openHost, untilSignal } from './up.ts';

const ADDRESS = '10.77.0.2';
const PEER = '10.77.0.1';
const TRANSFER = 100_000_000;
/** A proof that takes longer has failed. */
const PROGRAM_MS = 60_000;
const COUNTERS = [
  'IpInReceives',
  'IpOutRequests',
  'IcmpInEchos',
  'TcpPassiveOpens',
  'TcpInSegs',
  'TcpOutSegs',
  'TcpRetransSegs',
  'TcpInCsumErrors',
  'PortsideExceptions',
] as const;

export function demoCommand(): Command {
  return new Command('demo')
    .summary('a proof in a namespace of its own, with the real ping and curl')
    .description('a stack in a namespace of its own, proved with the real ping, curl and iperf3')
    .action(async () => {
      try {
        await demo();
      } catch (reason) {
        failWith(reason);
      }
    });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function line(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function demo(): Promise<void> {
  const netns = `portside-demo-${process.pid}`;
  const stop = untilSignal();
  const host = await openHost({
    name: 'portside0',
    addresses: [`${ADDRESS}/24`],
    own: [],
    peer: PEER,
    mtu: undefined,
    netns,
  });
  host.ref();
  const lost = new Promise<Error>((resolve) => host.on('error', (reason) => resolve(reason)));
  const wanted = { echo: true, discard: true, chargen: true, http: true, iperf3: IPERF3_PORT };
  const services = await startServices(host, wanted);
  line(`portside0 in namespace ${netns}: ${ADDRESS}/24 is ours, ${PEER} is the kernel's`);
  line(`offloads: ${host.device?.offloads.join(' ') || 'none'}`);
  const scratch = mkdtempSync(join(tmpdir(), 'portside-demo-'));
  try {
    const proof = prove(netns, scratch, host).catch((reason: unknown) => asError(reason));
    let end = await Promise.race([proof, stop, lost]);
    // Ctrl-C reaches the programs too: what they then say is no failure.
    if (end instanceof Error) end = await Promise.race([stop, delay(100, end)]);
    if (end instanceof Error) throw end;
    if (end === undefined && process.stdin.isTTY && process.stdout.isTTY) {
      line('');
      line('up until Ctrl-C; in another terminal, as root:');
      line(`  ip netns exec ${netns} curl http://${ADDRESS}/`);
      line(`  ip netns exec ${netns} iperf3 -c ${ADDRESS}`);
      const last = await Promise.race([stop, lost]);
      if (last instanceof Error) throw last;
    }
  } finally {
    boundTheEnd();
    rmSync(scratch, { recursive: true, force: true });
    closeServices(services);
    await host.close({ deadlineMs: 700 });
  }
  process.exit(0);
}

/** Throws at the first thing that is not as it must be. */
async function prove(netns: string, scratch: string, host: Host): Promise<void> {
  line('');
  await provePing(netns);
  await proveDownload(netns, scratch);
  await proveUpload(netns, scratch);
  await proveIperf3(netns);
  line('');
  for (const name of COUNTERS) {
    line(`${name.padEnd(20)} ${host.stack.counters.get(name)}`);
  }
}

async function provePing(netns: string): Promise<void> {
  const ping = await inside(netns, ['ping', '-n', '-c', '5', '-i', '0.2', '-W', '2', ADDRESS]);
  const loss = /([\d.]+)% packet loss/.exec(ping.out)?.[1];
  const times = /= ([\d.]+)\/([\d.]+)\/([\d.]+)/.exec(ping.out);
  if (ping.code !== 0 || loss !== '0') throw new Error(`ping lost packets: ${ping.all()}`);
  line(`ping      5 of 5 answered, ${times?.[2] ?? '?'} ms on average`);
}

async function proveDownload(netns: string, scratch: string): Promise<void> {
  const file = join(scratch, 'down');
  const curl = await inside(netns, [
    'curl',
    '-sS',
    '-f',
    '-o',
    file,
    '-w',
    '%{speed_download}',
    `http://${ADDRESS}/bytes/${TRANSFER}`,
  ]);
  if (curl.code !== 0) throw new Error(`curl could not download: ${curl.all()}`);
  const digest = await digestOf(file);
  if (digest !== bytesDigest(TRANSFER)) {
    throw new Error(`curl received other octets than were sent: sha256 ${digest}`);
  }
  const size = statSync(file).size / 1e6;
  line(`curl GET  ${size} MB, sha256 equal, ${gigabits(Number(curl.out))}`);
}

async function proveUpload(netns: string, scratch: string): Promise<void> {
  const file = join(scratch, 'down');
  const curl = await inside(netns, [
    'curl',
    '-sS',
    '-f',
    '-T',
    file,
    '-w',
    '\n%{speed_upload}',
    `http://${ADDRESS}/sha256`,
  ]);
  if (curl.code !== 0) throw new Error(`curl could not upload: ${curl.all()}`);
  const [json = '', speed = ''] = curl.out.trim().split(/\n+/);
  const answer = JSON.parse(json) as { bytes: number; sha256: string };
  if (answer.sha256 !== bytesDigest(TRANSFER)) {
    throw new Error(`portside received other octets than curl sent: ${json}`);
  }
  line(`curl PUT  ${answer.bytes / 1e6} MB, sha256 equal, ${gigabits(Number(speed))}`);
}

async function proveIperf3(netns: string): Promise<void> {
  for (const [what, args] of [
    ['to us  ', []],
    ['from us', ['-R']],
  ] as const) {
    const run = await inside(netns, ['iperf3', '-c', ADDRESS, '-t', '2', '-J', ...args]);
    if (run.code === 127) {
      line('iperf3    is not installed here: left out');
      return;
    }
    if (run.code !== 0) throw new Error(`iperf3 failed: ${run.all()}`);
    const result = JSON.parse(run.out) as { end: { sum_received: { bits_per_second: number } } };
    line(`iperf3    ${what} ${gigabits(result.end.sum_received.bits_per_second / 8)}`);
  }
}

function gigabits(octetsPerSecond: number): string {
  return `${((octetsPerSecond * 8) / 1e9).toFixed(2)} Gbit/s`;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

interface Outcome {
  readonly code: number;
  readonly out: string;
  all(): string;
}

/** Runs a program of the system inside the namespace. 127: it is not installed. */
function inside(netns: string, command: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn('ip', ['netns', 'exec', netns, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PROGRAM_MS,
      env: { ...process.env, LC_ALL: 'C' },
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    const done = (code: number): void => {
      const missing = /exec of .* failed: No such file/.test(err);
      resolve({ code: missing ? 127 : code, out, all: () => `${out} ${err}`.trim() });
    };
    child.on('error', (reason) => {
      err += reason.message;
      done(127);
    });
    child.on('close', (code) => done(code ?? 1));
  });
}
