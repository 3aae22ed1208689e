// What keeps a process alive and what does not: each program runs as a process of its own, on
// node:net and on a host, prints the same and ends by itself on both.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const loader = pathToFileURL(path.join(root, 'scripts', 'ts-loader.mjs')).href;
const hostUrl = pathToFileURL(path.join(root, 'src', 'node', 'host.ts')).href;

const KERNEL = "import net from 'node:net';";
const OURS = `import { createHost } from ${JSON.stringify(hostUrl)};
  const { net } = await createHost();`;

interface Outcome {
  code: number;
  out: string;
}

function run(ground: string, program: string): Promise<Outcome> {
  const source = `${ground}\nprocess.on('exit', (code) => console.log('exit', code));\n${program}`;
  const args = ['--import', loader, '--input-type=module', '--eval', source];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 50_000, cwd: root }, (error, out) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out });
    });
  });
}

const SERVER = `const server = net.createServer();
  server.unref().listen(0, '127.0.0.1', () => {
    const connect = (more) => net.connect({ port: server.address().port, ...more });
    start(connect);
  });`;

// biome-ignore format: a table
const programs: [what: string, program: string, prints: string][] = [
  ['a socket that is paused does not', `${SERVER}
    server.on('connection', (s) => s.unref());
    function start(connect) {
      connect().on('connect', function () { console.log('open'); this.pause(); });
    }`, 'open\nexit 0\n'],
  ['a socket whose peer has ended and that nobody reads does not', `${SERVER}
    server.on('connection', (s) => s.end());
    function start(connect) {
      const c = connect().on('end', () => {
        console.log('end', c.writable);
        c.write('never read');
      });
      c.resume();
    }`, 'end true\nexit 0\n'],
  ['unread data before the end does not', `${SERVER}
    server.on('connection', (s) => s.on('close', () => console.log('not here')));
    function start(connect) {
      connect().unref().end('unread', () => console.log('finished'));
    }`, 'finished\nexit 0\n'],
  ['a lookup of the program that never answers does not', `
    net.connect({ host: 'nowhere', port: 1, lookup: () => console.log('asked') });`,
    'asked\nexit 0\n'],
  ['a write that waits for room in a reader that is paused does', `${SERVER}
    let peer;
    server.on('connection', (s) => { peer = s.pause().unref(); });
    function start(connect) {
      const c = connect();
      c.pause();
      c.write(Buffer.alloc(16 << 20), () => { console.log('written'); c.destroy(); });
      setTimeout(() => { console.log('read'); peer.resume(); }, 300).unref();
    }`, 'read\nwritten\nexit 0\n'],
  ['a socket that reads does', `${SERVER}
    let peer;
    server.on('connection', (s) => { peer = s.unref(); });
    function start(connect) {
      connect().resume().on('close', () => console.log('close'));
      setTimeout(() => { console.log('still here'); peer.end(); }, 300).unref();
    }`, 'still here\nclose\nexit 0\n'],
  ['what was written arrives before a reset', `${SERVER}
    server.on('connection', (s) => {
      s.on('error', () => {}).on('data', (d) => console.log(String(d)));
    });
    function start(connect) {
      const c = connect().on('connect', () => {
        c.write('last words');
        c.resetAndDestroy();
      });
    }`, 'last words\nexit 0\n'],
];

describe('keeps a process alive', () => {
  it.each(programs)('%s: as Node does it', { timeout: 120_000 }, async (_what, program, prints) => {
    expect(await run(KERNEL, program)).toEqual({ code: 0, out: prints });
    expect(await run(OURS, program)).toEqual({ code: 0, out: prints });
  });
});
