// Builds the addon with cmake-js into build/Release/portside.node; offline, since node-api-headers
// and node-addon-api are dependencies.
//   node scripts/build-native.mjs [--force] [--debug] [--asan] [--own-uv] [--quiet]
// Without --force nothing happens when sources, options and Node's ABI are those of the last build.
// --asan builds build/asan/Release/portside.node beside it (PORTSIDE_ADDON names it to the loader).

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

function digest(options) {
  const hash = createHash('sha256');
  const dir = path.join(root, 'native');
  const files = readdirSync(dir)
    .sort()
    .map((name) => path.join(dir, name));
  for (const file of [...files, path.join(root, 'CMakeLists.txt')]) {
    hash.update(path.basename(file)).update(readFileSync(file));
  }
  return hash.update(JSON.stringify([options, process.arch, process.platform])).digest('hex');
}

/** The directory with uv.h of the Node that runs this, if its headers are installed. */
function nodeInclude() {
  const candidate = path.resolve(path.dirname(process.execPath), '..', 'include', 'node');
  return existsSync(path.join(candidate, 'uv.h')) ? candidate : '';
}

function cmakeJs() {
  const require = createRequire(path.join(root, 'package.json'));
  try {
    const manifest = require.resolve('cmake-js/package.json');
    return path.join(path.dirname(manifest), 'bin', 'cmake-js');
  } catch {
    throw new Error('cmake-js is missing: run `npm install` first');
  }
}

/**
 * Builds the addon where it is missing or out of date.
 * @param {{ force?: boolean, debug?: boolean, asan?: boolean, ownUv?: boolean, quiet?: boolean }} o
 * @returns {string} path of the addon
 */
export function buildNative(o = {}) {
  const kind = o.asan ? 'asan' : o.debug ? 'Debug' : 'Release';
  const output = path.join(root, 'build', o.asan ? 'asan/Release' : kind, 'portside.node');
  const stamp = path.join(root, 'build', `${kind}.stamp`);
  const wanted = digest([kind, o.ownUv === true]);
  const last = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
  if (!o.force && last === wanted && existsSync(output)) return output;

  const args = [cmakeJs(), 'compile', '--directory', root];
  args.push(`--CDPORTSIDE_NODE_INCLUDE=${nodeInclude()}`);
  args.push(`--CDPORTSIDE_ASAN=${o.asan ? 'ON' : 'OFF'}`);
  args.push(`--CDPORTSIDE_OWN_UV=${o.ownUv ? 'ON' : 'OFF'}`, '--log-level', 'warn');
  if (o.debug) args.push('--debug');
  if (o.asan) args.push('--out', path.join(root, 'build', 'asan'));
  const run = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: o.quiet ? 'pipe' : ['ignore', 'inherit', 'inherit'],
    timeout: 1_200_000,
  });
  if (run.status !== 0) {
    if (o.quiet) process.stderr.write(Buffer.concat([run.stdout, run.stderr]));
    throw new Error('the native build failed; it needs cmake, make and a C++17 compiler');
  }
  if (!existsSync(output)) throw new Error(`the native build has left no ${output}`);
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
  return output;
}

if (
  process.argv[1] !== undefined &&
  path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)
) {
  const has = (flag) => process.argv.includes(flag);
  try {
    const output = buildNative({
      force: has('--force'),
      debug: has('--debug'),
      asan: has('--asan'),
      ownUv: has('--own-uv'),
      quiet: has('--quiet'),
    });
    console.log(path.relative(process.cwd(), output));
  } catch (error) {
    console.error(`portside: ${error.message}`);
    process.exitCode = 1;
  }
}
