// Builds dist/: the ESM tree and its declarations by tsc, and for Node one CommonJS bundle by
// esbuild that every door (`.`, `./net`, `./core`, …) of both module systems leads to, so that each
// class exists once in a process however it was loaded (docs/decisions/0003). Bundlers and browsers
// get the ESM tree. The inspector's page is one script and one sheet in dist/web/page. The old
// dist/ is replaced in one step at the end.

import { appendFileSync, cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fail, ROOT, run } from './machine.mjs';

const require = createRequire(import.meta.url);
const target = join(ROOT, 'dist');
const fresh = join(ROOT, 'build', `dist-${process.pid}`);

/** Door → its source file; the name is also that of the files in dist/cjs. */
const DOORS = { index: 'src/index.ts', core: 'src/core.ts', sim: 'src/node/sim/index.ts' };
/** Doors to a module of the default host, which is made when one of them is first opened. */
const HOST_DOORS = ['net', 'dgram', 'dns'];

function compile() {
  const tsc = require.resolve('typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.json', '--outDir', fresh];
  const code = run(process.execPath, args, { timeoutMs: 900_000 });
  if (code !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    fail('TypeScript found errors (see above)');
  }
}

async function bundle() {
  const cjs = join(fresh, 'cjs');
  const { build } = await import('esbuild');
  const entry = Object.entries(DOORS)
    .map(([name, file]) => `export * as ${name} from './${file}';`)
    .join('\n');
  await build({
    stdin: { contents: entry, resolveDir: ROOT, sourcefile: 'doors.ts', loader: 'ts' },
    outfile: join(cjs, 'portside.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    packages: 'external',
    sourcemap: true,
    // traces name the file and line; the sources would be a megabyte and a half of the package
    sourcesContent: false,
    banner: { js: "const __here = require('node:url').pathToFileURL(__filename).href;" },
    define: { 'import.meta.url': '__here' },
    logLevel: 'warning',
  });
  const doors = require(join(cjs, 'portside.cjs'));
  for (const door of Object.keys(DOORS)) writeDoor(cjs, door, door, doors[door]);
  const host = doors.index.defaultHost();
  for (const door of HOST_DOORS) {
    writeDoor(cjs, door, `index.defaultHost().${door}`, host[door]);
    appendFileSync(join(cjs, `${door}.mjs`), 'export default door;\n');
  }
  writeRegister(cjs);
}

/** The inspector's page: one script, one sheet, nothing from elsewhere. */
async function bundlePage() {
  const { build } = await import('esbuild');
  const page = join(ROOT, 'src', 'web', 'page');
  await build({
    entryPoints: { page: join(page, 'main.ts'), style: join(page, 'style.css') },
    outdir: join(fresh, 'web', 'page'),
    bundle: true,
    minify: true,
    target: ['es2022', 'chrome109', 'firefox115', 'safari16'],
    format: 'esm',
    logLevel: 'warning',
  });
  for (const file of ['index.html', 'icon.svg']) {
    cpSync(join(page, file), join(fresh, 'web', 'page', file));
  }
}

function writeDoor(cjs, door, where, exported) {
  const code = `'use strict';\nmodule.exports = require('./portside.cjs').${where};\n`;
  writeFileSync(join(cjs, `${door}.cjs`), code);
  const names = Object.keys(exported).map((name) => `export const ${name} = door.${name};\n`);
  writeFileSync(join(cjs, `${door}.mjs`), `import door from './${door}.cjs';\n${names.join('')}`);
}

/** The one door with an effect: imported it waits for the host, required it cannot. */
function writeRegister(cjs) {
  const names = 'exports.unregister = index.unregister;\n';
  const required = 'exports.host = index.registerFromEnvironmentNow();\n';
  const take = "'use strict';\nconst { index } = require('./portside.cjs');\n";
  writeFileSync(join(cjs, 'register.cjs'), `${take}${required}${names}`);
  const code = [
    "import doors from './portside.cjs';",
    'export const host = await doors.index.registerFromEnvironment();',
    'export const unregister = doors.index.unregister;\n',
  ];
  writeFileSync(join(cjs, 'register.mjs'), code.join('\n'));
}

/** The same declarations once more where TypeScript takes them for CommonJS. */
function declareForRequire() {
  const types = `${fresh}-types`;
  cpSync(fresh, types, {
    recursive: true,
    filter: (path) => !/\.([cm]?js|map|css|html|svg)$/.test(path),
  });
  rmSync(join(types, 'cjs'), { recursive: true });
  writeFileSync(join(types, 'package.json'), '{ "type": "commonjs" }\n');
  renameSync(types, join(fresh, 'cjs', 'types'));
}

rmSync(fresh, { recursive: true, force: true });
mkdirSync(fresh, { recursive: true });
compile();
await bundle();
await bundlePage();
declareForRequire();
rmSync(target, { recursive: true, force: true });
renameSync(fresh, target);
