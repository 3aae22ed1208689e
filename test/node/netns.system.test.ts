// Namespaces by name: made, entered, marked, removed, and recognised after a kill.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TunLink } from '../../src/node/tun.ts';
import { Lab, until } from '../system/netns.ts';
import { program } from './rig.ts';

// Named like the tests' namespaces, so that a killed run is swept.
const NAME = `ps-${process.pid}-901`;
const PATH = `/run/netns/${NAME}`;
const MARKER = `/run/portside/${NAME}.json`;

let lab: Lab;
beforeAll(() => {
  lab = new Lab();
});
afterAll(() => lab?.close());
afterEach(() => {
  if (existsSync(PATH)) execFileSync('ip', ['netns', 'del', NAME]);
  if (existsSync(MARKER)) execFileSync('rm', [MARKER]);
});

const ip = (...args: string[]): string =>
  execFileSync('ip', ['-n', NAME, ...args], { encoding: 'utf8' });
const refusal = (): NodeJS.ErrnoException => {
  try {
    TunLink.open({ name: 'n0', netns: NAME }).close();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('it was opened');
};

/** A process that makes the namespace and stays; killed, it leaves it behind. */
async function maker() {
  const child = lab.spawnOutside(
    program(`
      globalThis.held = TunLink.open({ name: 'n1', netns: '${NAME}' });
      console.log('up');
      setInterval(() => {}, 1000);`),
  );
  let out = '';
  child.stdout?.on('data', (text) => {
    out += text;
  });
  await until('the maker', () => out === 'up\n');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await until('its end', () => child.exitCode !== null || child.signalCode !== null);
  };
  return { child, kill };
}

describe('a namespace that is not there', () => {
  it('is made with lo up and a marker, and removed at the end', () => {
    const own = readlinkSync('/proc/self/ns/net');
    const link = TunLink.open({ name: 'n0', netns: NAME });
    expect(readlinkSync('/proc/self/ns/net')).toBe(own);
    expect(ip('-br', 'link')).toMatch(/^lo +UNKNOWN.*\nn0 /);
    // a folder in which control sockets may lie, too
    expect(statSync('/run/portside').mode & 0o777).toBe(0o700);
    const marker = JSON.parse(readFileSync(MARKER, 'utf8')) as Record<string, unknown>;
    const stat = readFileSync('/proc/self/stat', 'utf8');
    expect(marker).toMatchObject({
      pid: process.pid,
      startTime: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]),
      netns: NAME,
      inode: statSync(PATH).ino,
    });
    link.close();
    expect([existsSync(PATH), existsSync(MARKER)]).toEqual([false, false]);
  });

  it('is kept until the last device of the process is closed', () => {
    const links = ['n0', 'n1'].map((name) => TunLink.open({ name, netns: NAME }));
    expect(ip('-br', 'link')).toMatch(/n0[\s\S]*n1/);
    links[0]?.close();
    expect(existsSync(PATH)).toBe(true);
    links[1]?.close();
    expect(existsSync(PATH)).toBe(false);
  });

  it('is removed again when the device cannot be opened', () => {
    expect(() => TunLink.open({ name: 'a/b', netns: NAME })).toThrow(/EINVAL/);
    expect([existsSync(PATH), existsSync(MARKER)]).toEqual([false, false]);
  });

  it('is removed when the process ends without closing', async () => {
    const { code } = await lab.runOutside(
      program(`TunLink.open({ name: 'n1', netns: '${NAME}' }); process.exit(3);`),
    );
    expect(code).toBe(3);
    expect([existsSync(PATH), existsSync(MARKER)]).toEqual([false, false]);
  });
});

describe('a namespace of others', () => {
  it('is entered, gets no marker, and stays', () => {
    execFileSync('ip', ['netns', 'add', NAME]);
    const { ino } = statSync(PATH);
    const link = TunLink.open({ name: 'n0', netns: NAME });
    expect(ip('-br', 'link')).toContain('n0');
    expect(existsSync(MARKER)).toBe(false);
    link.close();
    expect(statSync(PATH).ino).toBe(ino);
    expect(ip('-br', 'link')).not.toContain('n0');
  });

  it('EBUSY: another living portside has made it', async () => {
    const { child, kill } = await maker();
    const error = refusal();
    expect(error).toMatchObject({ code: 'EBUSY', errno: -16 });
    expect(error.message).toContain(`held by process ${child.pid}`);
    expect(existsSync(PATH)).toBe(true);
    await kill();
  });

  it('EINVAL: a file that is no namespace, a name that is none', () => {
    writeFileSync(PATH, 'a note of somebody');
    expect(refusal()).toMatchObject({ code: 'EINVAL', syscall: 'setns' });
    expect(readFileSync(PATH, 'utf8')).toBe('a note of somebody');
    execFileSync('rm', [PATH]);
    for (const netns of ['..', 'a/b', 'x y', 'n'.repeat(65)]) {
      expect(() => TunLink.open({ netns })).toThrow(/EINVAL.*not a name for a namespace/);
    }
  });

  it('EPERM: without CAP_SYS_ADMIN', async () => {
    const code = `try { TunLink.open({ netns: '${NAME}' }); }
      catch (error) { console.log(error.code, error.message); }`;
    const drop = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', '--'];
    const { out } = await lab.runOutside([...drop, ...program(code)]);
    expect(out).toMatch(/^EPERM .*CAP_SYS_ADMIN is missing for network namespace/);
  });
});

describe('after kill -9', () => {
  it('the next start removes what was left and makes it anew', async () => {
    const { kill } = await maker();
    const old = JSON.parse(readFileSync(MARKER, 'utf8')) as { cookie: string };
    await kill();
    expect([existsSync(PATH), existsSync(MARKER)]).toEqual([true, true]);
    const link = TunLink.open({ name: 'n0', netns: NAME });
    const fresh = JSON.parse(readFileSync(MARKER, 'utf8')) as { cookie: string; pid: number };
    expect(fresh.pid).toBe(process.pid);
    expect(fresh.cookie).not.toBe(old.cookie);
    link.close();
    expect([existsSync(PATH), existsSync(MARKER)]).toEqual([false, false]);
  });

  it('a namespace that somebody has made under that name since is left alone', async () => {
    const { kill } = await maker();
    await kill();
    execFileSync('ip', ['netns', 'del', NAME]);
    execFileSync('ip', ['netns', 'add', NAME]);
    // Even when it got the inode number of the old one, which the kernel uses again:
    const { ino } = statSync(PATH);
    const marker = readFileSync(MARKER, 'utf8').replace(/"inode":\d+/, `"inode":${ino}`);
    writeFileSync(MARKER, marker);
    ip('link', 'set', 'lo', 'up');
    const link = TunLink.open({ name: 'n0', netns: NAME });
    expect(ip('-br', 'link', 'show', 'lo')).toContain('UNKNOWN');
    expect([statSync(PATH).ino, existsSync(MARKER)]).toEqual([ino, false]);
    link.close();
    expect(existsSync(PATH)).toBe(true);
  });

  it('a marker without a namespace, and a name without a mount, are no obstacle', async () => {
    const { kill } = await maker();
    await kill();
    execFileSync('umount', ['-l', PATH]);
    expect(statSync(PATH).size).toBe(0);
    TunLink.open({ name: 'n0', netns: NAME }).close();
    expect([existsSync(PATH), existsSync(MARKER)]).toEqual([false, false]);
    execFileSync('sh', ['-c', `echo '{"pid":1234567,"startTime":1}' > ${MARKER}`]);
    const link = TunLink.open({ name: 'n0', netns: NAME });
    link.close();
    expect([existsSync(PATH), existsSync(MARKER)]).toEqual([false, false]);
  });
});
