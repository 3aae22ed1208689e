// Makes a fresh clone ready: packages, build tools, the native addon, dist/. Does nothing, quickly,
// when all of that is up to date. `node scripts/setup.mjs [--force]`, or called by the others.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail, hashOf, install, ROOT, run, say } from './machine.mjs';

const STAMP = join(ROOT, '.setup-stamp');
const NATIVE_INPUTS = ['native', 'CMakeLists.txt', 'scripts/build-native.mjs'];
const DIST_INPUTS = ['src', 'tsconfig.json', 'package.json', 'scripts/build.mjs'];
const ADDON = join(ROOT, 'build', 'Release', 'portside.node');
const MINUTE = 60_000;

/**
 * @param parts what is wanted beyond node_modules: `native` the addon, `dist` the built package
 */
export function setup({ native = true, dist = true, force = false } = {}) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 17)) {
    fail(`Node 20.17 or newer is needed, this is ${process.versions.node}`);
  }
  const stamp = force ? {} : readStamp();
  if (force || !packagesMatchLock()) installPackages();
  if (native) stamp.native = buildAddon(stamp.native);
  if (dist) stamp.dist = buildDist(stamp.dist);
  writeFileSync(STAMP, `${JSON.stringify(stamp)}\n`);
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, 'utf8'));
  } catch {
    return {}; // none yet, or torn by a kill: everything is built anew
  }
}

/**
 * Compares package-lock.json with what npm noted in node_modules, so that a tree installed by hand
 * counts as installed. Packages for other platforms are optional and may be missing.
 */
export function packagesMatchLock() {
  const noted = join(ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(noted)) return false;
  const here = JSON.parse(readFileSync(noted, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link) continue;
    const found = here[path];
    if (found === undefined) {
      if (entry.optional || entry.peer) continue;
      return false;
    }
    if (found.version !== entry.version) return false;
    if (!existsSync(join(ROOT, path, 'package.json'))) return false;
  }
  return true;
}

function installPackages() {
  say('setup: npm ci');
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  if (run('npm', args, { timeoutMs: 20 * MINUTE }) === 0) return;
  say('setup: npm ci failed, once more');
  if (run('npm', args, { timeoutMs: 20 * MINUTE }) !== 0) fail('npm ci failed (see above)');
}

function buildAddon(old) {
  if (process.platform !== 'linux') return old;
  const hash = hashOf(NATIVE_INPUTS, process.arch, process.versions.napi, lockedAddonTools());
  if (old === hash && existsSync(ADDON)) return hash;
  const missing = install({ cmake: 'cmake', make: 'make', 'g++': 'g++' });
  if (missing.length > 0) {
    fail(`${missing.join(', ')} missing: run \`apt-get install cmake make g++\` as root`);
  }
  say('setup: building the native addon');
  const args = [join(ROOT, 'scripts', 'build-native.mjs')];
  if (run(process.execPath, args, { timeoutMs: 20 * MINUTE }) !== 0) {
    fail('the native addon did not build (see above)');
  }
  return hash;
}

/** Versions of the packages that the addon is compiled against. */
function lockedAddonTools() {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const names = ['cmake-js', 'node-addon-api', 'node-api-headers'];
  return names.map((name) => lock[`node_modules/${name}`]?.version ?? '').join(' ');
}

function buildDist(old) {
  const hash = hashOf(DIST_INPUTS);
  if (old === hash && existsSync(join(ROOT, 'dist', 'index.js'))) return hash;
  say('setup: building dist/');
  const args = [join(ROOT, 'scripts', 'build.mjs')];
  if (run(process.execPath, args, { timeoutMs: 20 * MINUTE }) !== 0) {
    fail('dist/ did not build (see above)');
  }
  return hash;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setup({ force: process.argv.includes('--force') });
  say('setup: ready');
}
