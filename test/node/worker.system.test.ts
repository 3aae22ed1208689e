// The addon in worker threads: opened, moving packets, terminated, without a crash or a leak.

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab } from '../system/netns.ts';
import { LOADER, program, started } from './rig.ts';

let lab: Lab;
beforeAll(() => {
  lab = new Lab();
});
afterAll(() => lab?.close());

/** A program that runs `rounds` workers one after the other; `ending` decides how each one ends. */
function workers(rounds: number, netns: string, ending: string): string[] {
  const inside = `
    import { parentPort } from 'node:worker_threads';
    ${program('')[5]}
    ${started({ name: 'w0', netns })}
    link.configure({ addresses: [{ address: '10.77.0.1', prefix: 24 }], up: true });
    link.ref();
    onBatch = () => { if (seen >= 20) { onBatch = () => {}; parentPort.postMessage(seen); } };
    parentPort.on('message', async () => { ${ending} });
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4');
    setInterval(() => socket.send('x', 9, '10.77.0.2', () => {}), 1);`;
  return program(`
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    import { readdirSync } from 'node:fs';
    const source = new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(inside)}));
    const descriptors = () => readdirSync('/proc/self/fd').length;
    let first = 0;
    for (let i = 0; i < ${rounds}; i++) {
      const worker = new Worker(source, { execArgv: ['--import', '${LOADER}'] });
      worker.on('error', (error) => console.log('error', error.message));
      const exited = new Promise((resolve) => worker.on('exit', resolve));
      const [seen] = await once(worker, 'message');
      if (seen < 20) console.log('too few', seen);
      worker.postMessage('end');
      ${ending === '' ? 'await worker.terminate();' : 'await exited;'}
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (i === 0) first = descriptors();
    }
    console.log('done', descriptors() - first);`);
}

describe('in a worker', () => {
  // Every worker takes the same name, so what one leaves behind is in the way of the next.
  // biome-ignore format: a table
  const table: [string, string][] = [
    ['terminated in the middle of traffic', ''],
    ['ended by process.exit', 'process.exit(0);'],
    ['ended by an exception in the callback',
      "onBatch = () => { throw Object.assign(new Error('meant'), { code: 'MEANT' }); };"],
    ['closed and left', 'link.close(); process.exit(0);'],
  ];
  it.each(table)('%s: no crash, no descriptor left, the device is free again', async (...row) => {
    // Workers send from the process's own namespace: the process runs inside.
    const own = await lab.run(workers(3, '', row[1]));
    const meant = own.out.split('\n').filter((line) => line === 'error meant').length;
    expect([own.code, own.signal]).toEqual([0, null]);
    expect(own.out).toContain('done 0\n');
    expect(meant).toBe(row[1].includes('meant') ? 3 : 0);
    expect(lab.ip('-br', 'link')).not.toContain('w0');
  });

  it('gives back a namespace that it made when it is terminated', async () => {
    const name = `ps-${process.pid}-902`;
    const code = `
      import { Worker } from 'node:worker_threads';
      import { once } from 'node:events';
      const source = ${JSON.stringify(`
        ${program('')[5]}
        import { parentPort } from 'node:worker_threads';
        globalThis.held = TunLink.open({ name: 'w1', netns: '${name}' });
        parentPort.postMessage('up');
        setInterval(() => {}, 1000);`)};
      for (let i = 0; i < 3; i++) {
        const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(source)),
          { execArgv: ['--import', '${LOADER}'] });
        await once(worker, 'message');
        await worker.terminate();
      }
      console.log('done');`;
    const { out, code: exit } = await lab.runOutside(program(code));
    expect([exit, out]).toEqual([0, 'done\n']);
    expect(existsSync(`/run/netns/${name}`)).toBe(false);
    expect(existsSync(`/run/portside/${name}.json`)).toBe(false);
  });

  it('is left to the garbage collector without harm', async () => {
    const code = `
      import { readdirSync } from 'node:fs';
      import { setFlagsFromString } from 'node:v8';
      import { runInNewContext } from 'node:vm';
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc');
      const before = readdirSync('/proc/self/fd').length;
      for (let i = 0; i < 20; i++) TunLink.open({ name: 'gc' + i });
      for (let i = 0; i < 10; i++) { gc(); await new Promise((r) => setTimeout(r, 10)); }
      console.log('left', readdirSync('/proc/self/fd').length - before);`;
    const { out, code: exit } = await lab.run(program(code));
    expect([exit, out]).toEqual([0, 'left 0\n']);
  });
});
