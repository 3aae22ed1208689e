// What a program hears when the addon cannot be loaded, and what it hears when the kernel refuses.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { explain } from '../../src/node/device-error.ts';

afterEach(() => {
  delete process.env['PORTSIDE_ADDON'];
  vi.resetModules();
});

describe('loadAddon', () => {
  it('names platform, libc, the path tried and the command when there is no addon', async () => {
    process.env['PORTSIDE_ADDON'] = '/nowhere/portside.node';
    vi.resetModules();
    const { loadAddon, hasAddon } = await import('../../src/node/addon.ts');
    let thrown: unknown;
    try {
      loadAddon();
    } catch (error) {
      thrown = error;
    }
    const error = thrown as Error & { code: string; command: string };
    expect(error.code).toBe('ERR_PORTSIDE_NATIVE_UNAVAILABLE');
    expect(error.message).toContain(`${process.platform}-${process.arch}`);
    expect(error.message).toMatch(/libc (glibc [\d.]+|musl|none)/);
    expect(error.message).toContain('/nowhere/portside.node: not there');
    expect(error.command).toMatch(/build-native/);
    expect(error.message).toContain(error.command);
    expect(hasAddon()).toBe(false);
  });

  it('says why a file that is there cannot be loaded', async () => {
    process.env['PORTSIDE_ADDON'] = new URL(import.meta.url).pathname;
    vi.resetModules();
    const { loadAddon } = await import('../../src/node/addon.ts');
    expect(() => loadAddon()).toThrow(/addon\.test\.ts: .+/);
  });

  it('falls back to the sum of the core', async () => {
    process.env['PORTSIDE_ADDON'] = '/nowhere/portside.node';
    vi.resetModules();
    const { slabSum } = await import('../../src/node/addon.ts');
    const { Slab } = await import('../../src/base/slab.ts');
    const slab = new Slab(1024);
    slab.u8.set([0x01, 0x02, 0x03], 512);
    expect(slabSum(slab)(512, 3, 0)).toBe(0x0102 + 0x0300);
  });
});

function refused(code: string, syscall: string, detail = ''): Error {
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: -1, syscall, detail });
}

describe('explain', () => {
  const wish = { name: 'ps0', kind: 'tun', netns: '' } as const;
  // biome-ignore format: a table
  const table: [string, Error, RegExp][] = [
    ['EPERM: the capability and how to get it', refused('EPERM', 'TUNSETIFF'),
      /^ps0: TUNSETIFF EPERM\. CAP_NET_ADMIN.*setpriv.*ip tuntap add dev ps0 mode tun user \d+$/],
    ['EACCES: the file and its mode', refused('EACCES', 'open', '/dev/net/tun'),
      /chmod 0666 \/dev\/net\/tun/],
    ['EBUSY: somebody else has it', refused('EBUSY', 'TUNSETIFF'), /in use by another program/],
    ['ENOENT: no device node', refused('ENOENT', 'open', '/dev/net/tun'), /modprobe tun/],
    ['EINVAL: multi_queue', refused('EINVAL', 'TUNSETIFF', 'exists with multi_queue'),
      /multiQueue option and the device must agree/],
    ['EINVAL: another kind', refused('EINVAL', 'TUNSETIFF', 'exists and is a TAP'),
      /ip link delete ps0/],
    ['EINVAL: anything else', refused('EINVAL', 'TUNSETIFF'), /does not take "ps0" as a tun/],
    ['EPERM of rtnetlink', refused('EPERM', 'RTM_NEWADDR'), /CAP_NET_ADMIN is missing/],
  ];
  it.each(table)('%s', (_name, error, message) => {
    expect((explain(error, wish) as Error).message).toMatch(message);
    expect((error as Error & { errno: number }).errno).toBe(-1);
  });

  it('names the namespace and its own capability', () => {
    const error = refused('EPERM', 'unshare', 'lab');
    const text = (explain(error, { ...wish, netns: 'lab' }) as Error).message;
    expect(text).toBe(
      'ps0 in netns lab: unshare EPERM. CAP_SYS_ADMIN is missing for network namespace lab: ' +
        'run it as root',
    );
  });

  it('leaves other errors alone', () => {
    const error = new TypeError('x');
    expect(explain(error, wish)).toBe(error);
    expect(error.message).toBe('x');
  });
});
