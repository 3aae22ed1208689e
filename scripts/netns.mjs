// Network namespaces of the tests are named ps-<pid>-<n>. A test removes its own; whatever a killed
// run left behind is removed here. Nobody else's namespace is touched.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { run, say } from './machine.mjs';

/** Programs that the system tests talk to: command → Debian package. */
export const TEST_TOOLS = {
  ip: 'iproute2',
  ping: 'iputils-ping',
  curl: 'curl',
  iperf3: 'iperf3',
  tshark: 'tshark',
  nmap: 'nmap',
  wrk: 'wrk',
  ab: 'apache2-utils',
  nc: 'netcat-openbsd',
  tcpdump: 'tcpdump',
  dig: 'bind9-dnsutils',
  dnsmasq: 'dnsmasq-base',
  lftp: 'lftp',
  scp: 'openssh-client',
  // without libnet-ssleay-perl swaks has no TLS
  swaks: 'swaks libnet-ssleay-perl',
};

/** Programs of `npm run test:interop` beyond those: heavy, or daemons. */
export const INTEROP_TOOLS = {
  aria2c: 'aria2',
  nginx: 'nginx',
  chromium: 'chromium',
};

/** Removes namespaces whose maker is dead; answers how many. */
export function sweepNamespaces(dir = '/run/netns') {
  if (!existsSync(dir)) return 0;
  let swept = 0;
  for (const name of readdirSync(dir)) {
    const match = /^ps-(\d+)-\d+$/.exec(name);
    if (match === null || existsSync(`/proc/${match[1]}`)) continue;
    // Programs that the dead run left in there would keep the namespace alive without a name.
    const pids = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout ?? '';
    for (const pid of pids.split('\n').filter((line) => /^\d+$/.test(line))) {
      killLeftover(Number(pid));
    }
    if (run('ip', ['netns', 'del', name]) === 0) swept++;
  }
  if (swept > 0) say(`removed ${swept} network namespace(s) of dead test runs`);
  return swept;
}

function killLeftover(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone in the meantime
  }
}
