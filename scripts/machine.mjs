// What the scripts need of the machine: running programs, installing them, hashing inputs.
// Plain Node, no package: this runs before `npm install`.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
export const isRoot = typeof process.getuid === 'function' && process.getuid() === 0;

/** Lines of the scripts themselves, told apart from what the programs print. */
export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Ends the script with one sentence and exit code 1. */
export function fail(sentence) {
  process.stderr.write(`portside: ${sentence}\n`);
  process.exit(1);
}

/** Whether a program of that name is on PATH or where Debian keeps root's programs. */
export function has(command) {
  const dirs = (process.env.PATH ?? '').split(delimiter).concat('/usr/sbin', '/sbin');
  return dirs.some((dir) => dir !== '' && existsSync(join(dir, command)));
}

/** Runs to the end with inherited output; answers the exit code (124 after `timeoutMs`). */
export function run(command, args, { timeoutMs = 0, env = {}, quiet = false } = {}) {
  const stdio = quiet ? ['ignore', 'ignore', 'inherit'] : ['ignore', 'inherit', 'inherit'];
  const done = spawnSync(command, args, {
    cwd: ROOT,
    stdio,
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  if (done.error?.code === 'ETIMEDOUT') return 124;
  if (done.error) {
    process.stderr.write(`${command}: ${done.error.message}\n`);
    return 127;
  }
  return done.status ?? 1;
}

/**
 * The same in a process group of its own, so that at the time-out (or when we are told to end) its
 * children go with it. Answers the exit code and the last lines of the output.
 */
export function runGroup(command, args, { timeoutMs, env = {} }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    let tail = '';
    let timedOut = false;
    const endGroup = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // ended in the meantime
      }
    };
    let last;
    // First in good order, so that a script in the group can end groups of its own.
    const endAll = () => {
      endGroup('SIGTERM');
      last = setTimeout(() => endGroup('SIGKILL'), 4000);
    };
    const onSignal = (signal) => {
      endAll();
      process.exitCode = signal === 'SIGINT' ? 130 : 143;
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    const timer = setTimeout(() => {
      timedOut = true;
      endAll();
    }, timeoutMs);
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      tail = (tail + chunk.toString()).slice(-500);
    });
    const end = (code) => {
      clearTimeout(timer);
      clearTimeout(last);
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      if (process.exitCode >= 128) process.exit();
      resolve({ code: timedOut ? 124 : code, lastLine: tail.trimEnd().split('\n').at(-1) ?? '' });
    };
    child.on('error', (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      end(127);
    });
    child.on('close', (code) => end(code ?? 1));
  });
}

/** The same without blocking, with the output kept: for steps that run side by side. */
export function runQuietly(command, args, timeoutMs) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const end = (code) => {
      clearTimeout(timer);
      resolve({ code, output: Buffer.concat(chunks).toString() });
    };
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${command}: ${error.message}\n`));
      end(127);
    });
    child.on('close', (code) => end(code ?? 124));
  });
}

/**
 * Hands the terminal to a program and ends as it ends. Ctrl-C reaches the program by itself; a
 * signal sent to us alone is passed on, so that it can clean up.
 */
export function become(command, args, env = {}) {
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  child.on('error', (error) => fail(`${command}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal !== null) process.exit(128 + (signal === 'SIGINT' ? 2 : 15));
    process.exit(code ?? 1);
  });
}

/**
 * Installs Debian packages for the commands that are missing.
 * @param wanted command → packages, separated by blanks
 * @returns commands that are still missing
 */
export function install(wanted) {
  const missing = () => Object.keys(wanted).filter((command) => !has(command));
  const first = missing();
  if (first.length === 0) return first;
  if (!isRoot || !has('apt-get')) return first;
  const packages = [...new Set(first.flatMap((command) => wanted[command].split(' ')))];
  say(`setup: installing ${packages.join(' ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  // another apt may hold the lock, a mirror may fail once
  const patience = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
  const args = ['install', '-y', '-q', '--no-install-recommends', ...patience, ...packages];
  const bounds = { env, timeoutMs: 900_000, quiet: true };
  const allowDaemons = forbidDaemons();
  if (run('apt-get', args, bounds) !== 0) {
    run('apt-get', ['update', '-q', ...patience], bounds);
    run('apt-get', args, bounds);
  }
  allowDaemons();
  return missing();
}

const POLICY = '/usr/sbin/policy-rc.d';

/**
 * Debian starts the daemon of a package when it installs it, unless this policy says no: a test
 * needs the program only, in a namespace. Answers what takes the policy away again.
 */
function forbidDaemons() {
  if (existsSync(POLICY)) return () => {};
  const allow = () => rmSync(POLICY, { force: true });
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  process.once('exit', allow);
  return allow;
}

/** Every file below the given files and folders, sorted, as paths relative to the root. */
export function filesBelow(paths) {
  const found = [];
  const walk = (path) => {
    if (!existsSync(path)) return;
    if (!statSync(path).isDirectory()) {
      found.push(relative(ROOT, path));
      return;
    }
    for (const name of readdirSync(path)) walk(join(path, name));
  };
  for (const path of paths) walk(join(ROOT, path));
  return found.sort();
}

/** One hash over names and contents of inputs, and over whatever else the result depends on. */
export function hashOf(paths, ...also) {
  const hash = createHash('sha256');
  for (const file of filesBelow(paths)) {
    hash.update(`${file}\0`);
    hash.update(readFileSync(join(ROOT, file)));
  }
  for (const text of also) hash.update(`\0${text}`);
  return hash.digest('hex').slice(0, 32);
}
