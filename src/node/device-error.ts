// What a refused device means and what to do about it: the kernel's errno, put into one sentence
// with the missing capability and the command that mends it.

import type { SystemError } from './errors.ts';

export interface DeviceWish {
  readonly name: string;
  readonly kind: 'tun' | 'tap' | 'packet';
  readonly netns: string;
}

/** Fields of the Error that the addon throws. */
export interface NativeError extends SystemError {
  /** What the addon or the kernel added in words. */
  detail: string;
}

export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && typeof (error as Partial<NativeError>).detail === 'string';
}

const CAP_ADMIN =
  'CAP_NET_ADMIN is missing: run it as root, or with the capability: ' +
  'setpriv --inh-caps +net_admin --ambient-caps +net_admin node … ' +
  '(systemd: AmbientCapabilities=CAP_NET_ADMIN)';

function deviceHint(error: NativeError, wish: DeviceWish): string {
  const { name, kind } = wish;
  const uid = process.getuid?.() ?? 0;
  switch (error.code) {
    case 'EPERM':
      return (
        `${CAP_ADMIN}, ` +
        `or make the device for this user once: ip tuntap add dev ${name} mode ${kind} user ${uid}`
      );
    case 'EACCES':
      return `/dev/net/tun may not be opened by user ${uid}: chmod 0666 /dev/net/tun`;
    case 'EBUSY':
      return `${name} is in use by another program; find it with: fuser -v /dev/net/tun`;
    case 'ENOENT':
      return 'there is no /dev/net/tun: modprobe tun (in a container: --device /dev/net/tun)';
    case 'ENODEV':
    case 'ENXIO':
      return 'the kernel has no TUN driver: modprobe tun';
    case 'EINVAL':
      return invalidHint(error, wish);
    default:
      return '';
  }
}

function invalidHint(error: NativeError, wish: DeviceWish): string {
  const { name, kind } = wish;
  if (error.detail.includes('multi_queue')) {
    return `the multiQueue option and the device must agree; ip -d link show ${name} tells`;
  }
  if (error.detail.includes('exists and is')) {
    return `choose another name, or remove it first: ip link delete ${name}`;
  }
  return `the kernel does not take ${JSON.stringify(name)} as a ${kind} device`;
}

function namespaceHint(error: NativeError, wish: DeviceWish): string {
  switch (error.code) {
    case 'EPERM':
    case 'EACCES':
    case 'EROFS':
      return `CAP_SYS_ADMIN is missing for network namespace ${wish.netns}: run it as root`;
    case 'EBUSY':
      return `namespace ${wish.netns} belongs to another running portside: ${error.detail}`;
    case 'EINVAL':
      return error.detail.includes('not a name')
        ? 'a namespace name has letters, digits, dots, dashes and underscores, at most 64'
        : `/run/netns/${wish.netns} is no network namespace: ip netns delete ${wish.netns}`;
    default:
      return '';
  }
}

const DEVICE_CALLS = new Set(['TUNSETIFF', 'TUNGETIFF', 'TUNSETVNETHDRSZ', 'TUNGETVNETHDRSZ']);

const PACKET_CALLS = new Set(['socket', 'bind', 'PACKET_ADD_MEMBERSHIP', 'SO_ATTACH_FILTER']);

function packetHint(error: NativeError, wish: DeviceWish): string {
  if (error.code === 'EPERM') return 'CAP_NET_RAW is missing: run it as root';
  if (error.code === 'ENODEV') {
    return `there is no interface ${wish.name}: ip link add ${wish.name} type veth peer name …`;
  }
  return '';
}

function hintFor(error: NativeError, wish: DeviceWish): string {
  if (wish.kind === 'packet' && (PACKET_CALLS.has(error.syscall) || error.code === 'ENODEV')) {
    return packetHint(error, wish);
  }
  if (DEVICE_CALLS.has(error.syscall) || error.detail === '/dev/net/tun') {
    return deviceHint(error, wish);
  }
  if (error.syscall.startsWith('RTM_')) {
    return error.code === 'EPERM' ? CAP_ADMIN : '';
  }
  return wish.netns === '' ? '' : namespaceHint(error, wish);
}

/**
 * The same error with a message that names the device, the reason and the remedy. Fields `code`,
 * `errno` and `syscall` stay as they are.
 */
export function explain(error: unknown, wish: DeviceWish): unknown {
  if (!isNativeError(error)) return error;
  const where = wish.netns === '' ? wish.name : `${wish.name} in netns ${wish.netns}`;
  const hint = hintFor(error, wish);
  error.message = `${where}: ${error.message}${hint === '' ? '' : `. ${hint}`}`;
  return error;
}
