// The rules of docs/architecture.md, checked: ranks, sans-I/O, hot files, sizes, the top level.
// Every rule also runs over a sample that breaks it, so that a rule that sees nothing is noticed.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as house from './kit/house-rules.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const GENERATED = new Set(['node_modules', 'dist', 'build', 'prebuilds', 'coverage', '.git']);

function filesBelow(folder: string, ending: RegExp): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(path)) {
      if (GENERATED.has(name)) continue;
      const full = join(path, name);
      if (statSync(full).isDirectory()) visit(full);
      else if (ending.test(name)) found.push(relative(ROOT, full));
    }
  };
  visit(join(ROOT, folder));
  return found.sort();
}

function read(path: string): house.Source {
  return house.parse(path, readFileSync(join(ROOT, path), 'utf8'));
}

const src = filesBelow('src', /\.ts$/).map(read);
const scripts = filesBelow('scripts', /\.mjs$/).map(read);
const bench = filesBelow('bench', /\.ts$/).map(read);
const tests = filesBelow('test', /\.ts$/).map(read);
const native = filesBelow('native', /\.(cc|h)$/).map(read);

describe('the tree', () => {
  // biome-ignore format: a table
  const table: [string, house.Rule, house.Source[]][] = [
    ['imports go downwards and equal ranks are strangers', house.ranks, src],
    ['ranks 0–7 read no clock, no random source and no Node global', house.sansIo, src],
    ['files marked @hot allocate nothing on the path of a packet', house.hot, src],
    ['a function fits a screen and takes at most five parameters', house.functionSize,
      [...src, ...scripts, ...bench]],
    ['a file is at most 400 lines', house.fileLength,
      [...src, ...scripts, ...bench, ...native, ...tests]],
    // Tables of packets in tests may be wider.
    ['a line is at most 100 columns', house.lineWidth,
      [...src, ...scripts, ...bench, ...native]],
    ['a file says first what it is', house.headComment, [...src, ...scripts, ...bench, ...native]],
    ['nothing is left unfinished', house.unfinished, [...src, ...scripts, ...bench, ...native]],
    ['index.ts and core.ts hold re-exports only', house.doorsOnly,
      src.filter((s) => s.path === 'src/index.ts' || s.path === 'src/core.ts')],
  ];
  it.each(table)('%s', (_name, rule, sources) => {
    expect(sources.flatMap((source) => rule(source)).join('\n')).toBe('');
  });

  it('has sources to look at', () => {
    expect(src.length).toBeGreaterThan(20);
    expect(scripts.length).toBeGreaterThan(5);
  });

  it('has the top level of docs/architecture.md and nothing else', () => {
    const allowed = new Set([
      ...['package.json', 'package-lock.json', 'tsconfig.json', 'CMakeLists.txt'],
      ...['README.md', 'LICENSE', 'native', 'src', 'bench', 'test', 'docs', 'examples', 'scripts'],
    ]);
    const foreign = readdirSync(ROOT).filter(
      (name) => !name.startsWith('.') && !GENERATED.has(name) && !allowed.has(name),
    );
    expect(foreign).toEqual([]);
  });

  it('keeps machine-specific paths and registry hosts out of every file', () => {
    const foreign = new RegExp(['/work/', 'shared'].join('') + ['|registry', 'npmjs'].join('\\.'));
    const found = filesBelow('.', /\.(ts|mjs|json|jsonc|md|cc|h|txt|yml|sh)$/).filter((path) =>
      foreign.test(readFileSync(join(ROOT, path), 'utf8')),
    );
    expect(found).toEqual([]);
  });
});

describe('a sample that breaks a rule is seen', () => {
  const HOT = '// A sample. @hot\n';
  // biome-ignore format: a table
  const table: [string, house.Rule, string, string, string[]][] = [
    ['an import upwards', house.ranks, 'src/tcp/a.ts', "import '../stack/b.ts';",
      ['src/tcp/a.ts:1  tcp [4] imports stack [6]']],
    ['an import from an equal rank', house.ranks, 'src/tcp/a.ts', "\nexport * from '../udp/b.ts';",
      ['src/tcp/a.ts:2  tcp [4] imports udp [4]']],
    ['a type that is imported upwards', house.ranks, 'src/ip/a.ts',
      "type T = import('../tcp/b.ts').T;", ['src/ip/a.ts:1  ip [3] imports tcp [4]']],
    ['a lazy import upwards', house.ranks, 'src/wire/a.ts', "void import('../link/b.ts');",
      ['src/wire/a.ts:1  wire [1] imports link [2]']],
    ['an import from itself and from below is none', house.ranks, 'src/tcp/congestion/a.ts',
      "import '../b.ts';\nimport '../../base/c.ts';", []],
    ['node: in the core', house.ranks, 'src/sim/a.ts', "import 'node:fs';",
      ["src/sim/a.ts:1  'node:fs': ranks 0–7 import no package and no node:"]],
    ['node: at the edge is none', house.ranks, 'src/node/a.ts', "import 'node:fs';", []],
    ['a door that reaches too high', house.ranks, 'src/core.ts', "export * from './node/a.ts';",
      ['src/core.ts:1  core [7] imports node [8]']],
    ['a door that stands on the other door is none', house.ranks, 'src/index.ts',
      "export * from './core.ts';", []],
    ['a folder that imports a door', house.ranks, 'src/cli/a.ts', "import '../index.ts';",
      ["src/cli/a.ts:1  imports the door 'index.ts'"]],
    ['an unknown folder', house.ranks, 'src/misc/a.ts', '',
      ["src/misc/a.ts:1  folder 'misc' has no rank"]],
    ['a clock in the core', house.sansIo, 'src/tcp/a.ts', 'export const now = Date.now();',
      ['src/tcp/a.ts:1  Date in the core']],
    ['chance in the core', house.sansIo, 'src/tcp/a.ts', 'export const r = Math.random();',
      ['src/tcp/a.ts:1  Math.random in the core']],
    ['a member that is called process is none', house.sansIo, 'src/tcp/a.ts',
      'export const f = (x: { process: number }) => x.process;', []],
    ['a timer at the edge is none', house.sansIo, 'src/node/a.ts', 'setTimeout(f, 1);', []],
    ['a closure', house.hot, 'src/a.ts', `${HOT}function f() {\n  g(() => 1);\n}`,
      ['src/a.ts:3  closure in a @hot file']],
    ['a spread, a template and new', house.hot, 'src/a.ts',
      `${HOT}function f(a) {\n  g(...a);\n  h(\`\${a}\`);\n  return new X();\n}`,
      ['src/a.ts:3  spread in a @hot file', 'src/a.ts:4  template string in a @hot file',
        'src/a.ts:5  `new` in a @hot file']],
    ['for…of over a destructured array', house.hot, 'src/a.ts',
      `${HOT}function f(x) {\n  for (const [a] of x) g(a);\n}`,
      ['src/a.ts:3  for…of in a @hot file', 'src/a.ts:3  destructured array in a @hot file']],
    ['new at module level, in constructors, growth, throws and cold functions is none', house.hot,
      'src/a.ts',
      `${HOT}const T = new X();\nclass A { b = new X(); constructor() { new X(); } }\n` +
        `function grown() { return new X(); }\nfunction f() { throw new E(\`\${T}\`); }\n` +
        '// cold: once per connection\nfunction open() { return new X(); }',
      []],
    ['an unmarked file is none', house.hot, 'src/a.ts', 'function f() { return new X(); }', []],
    ['six parameters', house.functionSize, 'src/a.ts', 'function f(a, b, c, d, e, g) {}',
      ['src/a.ts:1  f: 6 parameters']],
    ['a function of 71 lines', house.functionSize, 'src/a.ts',
      `function f() {${'\n'.repeat(70)}}`, ['src/a.ts:1  f: 71 lines']],
    ['a function of 70 lines is none', house.functionSize, 'src/a.ts',
      `function f() {${'\n'.repeat(69)}}`, []],
    ['a line of 101 columns', house.lineWidth, 'src/a.ts', `//${'é'.repeat(99)}`,
      ['src/a.ts:1  101 columns']],
    ['a file of 401 lines', house.fileLength, 'src/a.ts', '\n'.repeat(401),
      ['src/a.ts:1  401 lines']],
    ['a file without a head comment', house.headComment, 'src/a.ts', 'const a = 1; // a',
      ['src/a.ts:1  no head comment']],
    ['a head comment behind #! is one', house.headComment, 'src/a.ts', '#!/bin/x\n// A.\nf();', []],
    ['a word for later', house.unfinished, 'src/a.ts', `// ${'TO'}${'DO'}: all`,
      [`src/a.ts:1  ${'TO'}${'DO'}`]],
    ['a door that does something', house.doorsOnly, 'src/core.ts', "export * from './a.ts';\nf();",
      ['src/core.ts:2  a door holds re-exports only']],
  ];
  it.each(table)('%s', (_name, rule, path, text, expected) => {
    expect(rule(house.parse(path, text))).toEqual(expected);
  });
});
