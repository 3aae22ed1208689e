// What a user of the package relies on: its doors, its manifest, one instance of each class however
// it is loaded. Looks at the built package (`npm test` and `npm run check` build it first).

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function json(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}

/** Runs a program in the package's folder, where `portside` names the package itself. */
function evaluate(program: string, args: string[] = []): string {
  const done = spawnSync(process.execPath, [...args, '--eval', program], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 110_000,
  });
  expect(done.stderr).toBe('');
  return done.stdout.trim();
}

type Door = { [condition: string]: string | Door };

/** Every path of an exports entry, with the conditions that lead to it. */
function pathsOf(door: string | Door, way: string): [string, string][] {
  if (typeof door === 'string') return [[way, door]];
  return Object.entries(door).flatMap(([name, next]) => pathsOf(next, `${way} ${name}`));
}

describe('package.json', () => {
  const manifest = json('package.json');
  const exported = manifest.exports as Record<string, string | Door>;

  it('has the doors of this version', () => {
    expect(Object.keys(exported)).toEqual([
      '.',
      './dgram',
      './dns',
      './net',
      './register',
      './core',
      './sim',
      './package.json',
    ]);
  });

  it('names types before code wherever it names both', () => {
    const wrong: string[] = [];
    const visit = (door: string | Door, way: string): void => {
      if (typeof door === 'string') return;
      const keys = Object.keys(door);
      if (keys.includes('types') && keys.indexOf('types') > keys.indexOf('default'))
        wrong.push(way);
      for (const key of keys) visit(door[key] as Door, `${way} ${key}`);
    };
    for (const [name, door] of Object.entries(exported)) visit(door, name);
    expect(wrong).toEqual([]);
  });

  it('runs nothing on installation', () => {
    const scripts = Object.keys(manifest.scripts as object);
    const hooks = ['preinstall', 'install', 'postinstall', 'prepare'];
    expect(scripts.filter((name) => hooks.includes(name))).toEqual([]);
  });

  it('is ESM for Node 20.17 and later, with provenance; one door has effects', () => {
    expect(manifest).toMatchObject({
      type: 'module',
      engines: { node: '>=20.17' },
      license: 'MIT',
      sideEffects: ['./dist/register.js', './dist/cjs/register.mjs', './dist/cjs/register.cjs'],
      publishConfig: { provenance: true },
    });
  });

  it('takes tuntap2 as an optional peer only', () => {
    expect(manifest.peerDependenciesMeta).toEqual({ tuntap2: { optional: true } });
    expect(manifest.dependencies).not.toHaveProperty('tuntap2');
    expect(manifest.devDependencies).not.toHaveProperty('tuntap2');
  });

  it('has a lock that names no download address', () => {
    const packages = json('package-lock.json').packages as Record<string, object>;
    const resolved = Object.keys(packages).filter((path) => 'resolved' in (packages[path] ?? {}));
    expect(resolved).toEqual([]);
  });
});

describe('the built package', () => {
  beforeAll(() => {
    const built = existsSync(join(ROOT, 'dist', 'cjs', 'portside.cjs'));
    if (!built) throw new Error('dist/ is missing: run `npm run build` first');
  });

  it('has a file behind every path of its exports', () => {
    const exported = json('package.json').exports as Record<string, string | Door>;
    const paths = Object.entries(exported).flatMap(([name, door]) => pathsOf(door, name));
    expect(paths.filter(([, path]) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('gives import and require the same classes from every door', () => {
    const program = `
      const doors = ['portside', 'portside/core', 'portside/sim', 'portside/net', 'portside/dgram',
        'portside/dns'];
      const differing = [];
      Promise.all(doors.map((door) => import(door))).then((imported) => {
        doors.forEach((door, i) => {
          const required = require(door);
          const names = new Set([...Object.keys(required), ...Object.keys(imported[i])]);
          for (const name of names) {
            if (name === 'default') continue;
            if (required[name] !== imported[i][name]) differing.push(door + ' ' + name);
          }
        });
        const same = require('portside').Stack === imported[1].Stack;
        console.log(JSON.stringify({ differing, same }));
      });`;
    const found = JSON.parse(evaluate(program, ['--input-type=commonjs']));
    expect(found).toEqual({ differing: [], same: true });
  });

  it('sees a port that the other module system has taken: EADDRINUSE', () => {
    const program = `
      import { createRequire } from 'node:module';
      import { createHost } from 'portside';
      const { Stack } = createRequire(import.meta.url)('portside/core');
      const host = await createHost({});
      const taken = host.net.createServer().listen(7777, '127.0.0.1', () => {
        const isStack = host.stack instanceof Stack;
        const handler = { accept: () => null };
        try {
          host.stack.listen({ address: '127.0.0.1', port: 7777, handler });
        } catch (error) {
          console.log(isStack, error.code);
        }
        taken.close();
        host.close();
      });`;
    expect(evaluate(program, ['--input-type=module'])).toBe('true EADDRINUSE');
  });

  it('lives as long as a question is asked, and no longer', () => {
    const program = `
      import dgram from 'portside/dgram';
      import dns from 'portside/dns';
      const silent = dgram.createSocket('udp4');
      silent.bind(5353, '127.0.0.1', () => {
        silent.unref();
        const resolver = new dns.Resolver({ timeout: 50, tries: 1 });
        resolver.setServers(['127.0.0.1:5353']);
        resolver.resolve4('www.example', (error) => console.log(error.message));
        dns.lookup('www.example', (error) => console.log(error.message));
        process.on('exit', () => console.log('exit'));
      });`;
    const lines = ['getaddrinfo ENOTFOUND www.example', 'queryA ETIMEOUT www.example', 'exit'];
    expect(evaluate(program, ['--input-type=module']).split('\n')).toEqual(lines);
  });

  it('gives bundlers and browsers a core that imports nothing from outside', () => {
    const seen = new Set<string>();
    const foreign: string[] = [];
    const visit = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      const text = readFileSync(path, 'utf8');
      const imports = /(?<!["'])\b(?:from|import)\s*["']([^"']+)["']/g; // not the word 'from' itself
      for (const [, name] of text.matchAll(imports)) {
        if (name?.startsWith('.')) visit(join(path, '..', name));
        else foreign.push(`${path} ${name}`);
      }
    };
    visit(join(ROOT, 'dist', 'core.js'));
    visit(join(ROOT, 'dist', 'sim', 'index.js'));
    expect(foreign).toEqual([]);
    expect(seen.size).toBeGreaterThan(30);
  });
});
