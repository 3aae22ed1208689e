// `portside doctor`: what a machine must have, each thing in a line with the command that mends it.
// Exit codes: 0 everything that is needed is there, 1 something is missing.

import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join } from 'node:path';
import { Command } from 'commander';
import { loadAddon } from '../node/addon.ts';
import { examples, print } from './look.ts';
import { sentence } from './report.ts';

export interface Finding {
  readonly what: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** The command that mends it; '' where nothing is to be mended. */
  readonly fix: string;
}

const NODE = [20, 17] as const;
/** TUN with several queues and offloads as the addon asks for them. */
const KERNEL = [4, 4] as const;
/** UDP segmentation offload on a TUN came with 6.2. */
const USO = [6, 2] as const;
const CAP_NET_ADMIN = 12;
const CAP_SYS_ADMIN = 21;
/** What the tests of the system drive, by Debian's package. */
const PROGRAMS: readonly (readonly [string, string])[] = [
  ['ip', 'iproute2'],
  ['ping', 'iputils-ping'],
  ['curl', 'curl'],
  ['nc', 'netcat-openbsd'],
  ['iperf3', 'iperf3'],
  ['tshark', 'tshark'],
];

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .summary('what this machine has and lacks, and how to mend it')
    .description('what this machine has and lacks for a host on a device, and how to mend it')
    .option('--json', 'one JSON object a line');
  examples(command, ['portside doctor', 'portside doctor --json']);
  return command.action((o: { json?: boolean }) => {
    const findings = examine();
    print(o.json === true ? findings.map((one) => JSON.stringify(one)) : doctorText(findings));
    process.exitCode = findings.some((one) => one.verdict === 'fail') ? 1 : 0;
  });
}

export function doctorText(findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map((one) => one.what.length));
  const lines: string[] = [];
  for (const { what, verdict, found, fix } of findings) {
    lines.push(`${verdict.padEnd(4)}  ${what.padEnd(width)}  ${found}`.trimEnd());
    if (fix !== '') lines.push(`      ${' '.repeat(width)}  -> ${fix}`);
  }
  const failed = findings.filter((one) => one.verdict === 'fail').length;
  lines.push('');
  lines.push(
    failed === 0
      ? 'A host on a TUN can be brought up here: portside up 10.77.0.2/24'
      : `${failed} missing. Without a device portside/net, portside/core and portside/sim work ` +
          'all the same.',
  );
  return lines;
}

export function examine(): Finding[] {
  return [
    nodeVersion(process.versions.node),
    kernelVersion(process.platform, release()),
    addon(),
    device(),
    ...capabilities(statusText()),
    namespaces(),
    uring(),
    ...programs(process.env.PATH ?? ''),
  ];
}

function ok(what: string, found: string): Finding {
  return { what, verdict: 'ok', found, fix: '' };
}

/** `20.17.0` against 20.17. */
function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return a > major || (a === major && b >= minor);
}

export function nodeVersion(version: string): Finding {
  const what = 'Node.js';
  if (isAtLeast(version, NODE)) return ok(what, version);
  const fix = 'install Node.js 20.17 or newer';
  return { what, verdict: 'fail', found: `${version} is older than 20.17`, fix };
}

export function kernelVersion(platform: string, version: string): Finding {
  const what = 'kernel';
  if (platform !== 'linux') {
    const fix = 'use Linux for devices';
    return { what, verdict: 'fail', found: `${platform} has no devices for portside`, fix };
  }
  if (!isAtLeast(version, KERNEL)) {
    return {
      what,
      verdict: 'fail',
      found: `Linux ${version} is too old`,
      fix: 'update the kernel',
    };
  }
  if (isAtLeast(version, USO)) return ok(what, `Linux ${version}`);
  const found = `Linux ${version}: no UDP segmentation on a TUN (from 6.2 on)`;
  return { what, verdict: 'warn', found, fix: '' };
}

function addon(): Finding {
  const what = 'native addon';
  try {
    loadAddon();
    return ok(what, 'loads');
  } catch (reason) {
    return { what, verdict: 'fail', found: sentence(reason), fix: 'npx portside build-native' };
  }
}

const TUN = '/dev/net/tun';

function device(): Finding {
  if (!existsSync(TUN)) {
    const fix = 'modprobe tun (in a container: --device /dev/net/tun)';
    return { what: TUN, verdict: 'fail', found: 'is not there', fix };
  }
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK);
    return ok(TUN, 'can be opened');
  } catch {
    const found = 'may not be opened by this user';
    return { what: TUN, verdict: 'fail', found, fix: `chmod 0666 ${TUN}` };
  }
}

function statusText(): string {
  try {
    return readFileSync('/proc/self/status', 'utf8');
  } catch {
    return '';
  }
}

/** CAP_NET_ADMIN for the device, CAP_SYS_ADMIN for namespaces, from /proc/self/status. */
export function capabilities(status: string): Finding[] {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (bit: number): boolean => (mask & (1n << BigInt(bit))) !== 0n;
  const admin: Finding = has(CAP_NET_ADMIN)
    ? ok('CAP_NET_ADMIN', 'is held')
    : {
        what: 'CAP_NET_ADMIN',
        verdict: 'fail',
        found: 'is missing: no device can be made or set up',
        fix:
          'sudo setpriv --reuid $USER --init-groups --inh-caps +net_admin ' +
          '--ambient-caps +net_admin -- portside up …',
      };
  const system: Finding = has(CAP_SYS_ADMIN)
    ? ok('CAP_SYS_ADMIN', 'is held')
    : {
        what: 'CAP_SYS_ADMIN',
        verdict: 'warn',
        found: 'is missing: --netns cannot make or enter a namespace',
        fix: 'run as root, or without --netns',
      };
  return [admin, system];
}

function namespaces(): Finding {
  const what = 'network namespaces';
  if (existsSync('/proc/self/ns/net')) return ok(what, 'there');
  return { what, verdict: 'warn', found: 'the kernel has none', fix: 'use a kernel with NET_NS' };
}

/** Where it is refused the addon makes one system call a packet instead. */
function uring(): Finding {
  const what = 'io_uring';
  const file = '/proc/sys/kernel/io_uring_disabled';
  const value = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (value === '') return ok(what, 'not restricted here');
  if (value === '0') return ok(what, 'allowed');
  const fix = 'sysctl kernel.io_uring_disabled=0';
  return { what, verdict: 'warn', found: 'restricted: one system call a packet instead', fix };
}

/** Programs that the tests drive; a host needs none of them. */
export function programs(path: string): Finding[] {
  const folders = path.split(delimiter);
  return PROGRAMS.map(([program, pkg]) => {
    const where = folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
    if (where !== undefined) return ok(program, where);
    const found = 'is not installed (for tests and demo only)';
    return { what: program, verdict: 'warn', found, fix: `apt-get install ${pkg}` };
  });
}
