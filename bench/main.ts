// `npm run bench -- [SUITE…] [--save] [--out FILE] [--seconds N] [--list]`, and `bulk`
// and `goodput`: transfers over devices, which have options of their own. See bench/README.md.

import { parseArgs } from 'node:util';
import { bulk } from './bulk.ts';
import { connections } from './connections.ts';
import { floods } from './floods.ts';
import { goodput } from './goodput.ts';
import { circumstances, save } from './report.ts';
import { sockets } from './sockets.ts';
import { type Result, runSuite, type Suite } from './suite.ts';
import { checksum } from './suites/checksum.ts';
import { copies } from './suites/copies.ts';
import { datagrams } from './suites/datagrams.ts';
import { delivery } from './suites/delivery.ts';
import { flows, ports } from './suites/flows.ts';
import { headers } from './suites/headers.ts';
import { sack } from './suites/sack.ts';
import { syn } from './suites/syn.ts';
import { timers } from './suites/timers.ts';
import { walk } from './suites/walk.ts';

const SUITES: readonly Suite[] = [
  checksum,
  headers,
  flows,
  ports,
  timers,
  copies,
  delivery,
  walk,
  syn,
  datagrams,
  sack,
];

function misuse(sentence: string): never {
  process.stderr.write(`bench: ${sentence}\n`);
  process.exit(1);
}

function chosen(names: readonly string[]): readonly Suite[] {
  if (names.length === 0) return SUITES;
  return names.map((name) => {
    const suite = SUITES.find((s) => s.name === name);
    if (suite !== undefined) return suite;
    return misuse(
      `there is no suite '${name}': ${SUITES.map((s) => s.name).join(', ')}, bulk, goodput`,
    );
  });
}

async function suites(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      save: { type: 'boolean', default: false },
      out: { type: 'string', default: '' },
      seconds: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
    },
  });
  if (values.list) {
    for (const { name, question } of SUITES) console.log(`${name.padEnd(10)} ${question}`);
    console.log('connections 100,000 of them in one process: memory, rate, lookups');
    console.log('sockets    idle connections of net.Sockets: octets of each');
    console.log('floods     floods through a TUN, while honest clients connect and stream');
    console.log('bulk       kernel TCP over veth, and the kernel with us over a TUN');
    console.log(
      'goodput    loss, delay, reordering, queues: the kernel and us through one forwarder',
    );
    return;
  }
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds <= 60)) misuse('--seconds is a number up to 60');
  const wanted = chosen(positionals);
  const where = circumstances();
  const results: Result[] = [];
  for (const suite of wanted) results.push(...(await runSuite(suite, seconds)));
  if (!values.save && values.out === '') return;
  const name = positionals.length === 0 ? 'suites' : positionals.join('-');
  console.log(`\nwritten to ${save(name, values.out, { ...where, results })}`);
}

const [first, ...rest] = process.argv.slice(2);
if (first === 'bulk') await bulk(rest);
else if (first === 'goodput') await goodput(rest);
else if (first === 'connections') connections(rest);
else if (first === 'sockets') await sockets(rest);
else if (first === 'floods') await floods(rest);
else await suites(process.argv.slice(2));
