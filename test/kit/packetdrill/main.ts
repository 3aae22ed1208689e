// `npm run packetdrill -- PATH… [--profile linux|rfc|strict] [--loose] [--family ipv4|ipv6|both]
// [--json]`: runs packet scripts of other collections against the core under its virtual clock.
// Exits with 1 when an applicable script fails.

import { parseArgs } from 'node:util';
import { profiles } from '../../../src/stack/profiles.ts';
import { playFile, scriptFiles, type Tally, tally, type Verdict } from './collection.ts';

const USAGE = `usage: packetdrill PATH… [--profile linux|rfc|strict] [--loose]
                   [--family ipv4|ipv6|both] [--json]
  --loose  the scripts were written for another stack: its own order of options, its window sizes
           and what it offers on a SYN are not compared`;

function fail(wrong: string): never {
  console.error(`${wrong}\n${USAGE}`);
  process.exit(2);
}

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        profile: { type: 'string', default: 'linux' },
        family: { type: 'string', default: 'ipv4' },
        loose: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function print(verdicts: readonly Verdict[], t: Tally): void {
  for (const v of verdicts) {
    if (v.fate === 'failed') console.log(`FAILED ${v.file} (${v.family})\n  ${v.reason}`);
  }
  if (t.notHere.length > 0) console.log('not applicable:');
  for (const [reason, n] of t.notHere) console.log(`${String(n).padStart(5)}  ${reason}`);
  console.log(
    `${t.files} files, ${t.runs} runs, ${t.applicable} applicable: ` +
      `${t.passed} passed, ${t.failed} failed`,
  );
}

const { values, positionals } = read();
if (positionals.length === 0) fail('which directory?');
if (!(values.profile in profiles)) fail(`no profile ${values.profile}`);
const families = values.family === 'both' ? (['ipv4', 'ipv6'] as const) : [values.family];
if (!families.every((f) => f === 'ipv4' || f === 'ipv6')) fail(`no family ${values.family}`);
const options = { profile: values.profile, loose: values.loose, families };
const verdicts = positionals.flatMap(scriptFiles).flatMap((file) => playFile(file, options));
const result = tally(verdicts);
if (values.json) console.log(JSON.stringify({ ...result, verdicts }, null, 2));
else print(verdicts, result);
process.exitCode = result.failed > 0 ? 1 : 0;
