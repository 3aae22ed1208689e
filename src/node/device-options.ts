// Devices of `createHost(options)`: a TUN, a TAP, or an Ethernet interface by AF_PACKET, as a
// program names them, checked before anything is opened.

import { parseMac } from '../wire/ethernet.ts';
import { invalidOption } from './errors.ts';

export interface TunOptions {
  /** Device name; default `portside0`. */
  name?: string;
  driver?: 'auto' | 'native' | 'tuntap2';
  /** Network namespace: made when it is not there, and removed again by whoever made it. */
  netns?: string;
  /** An open descriptor of a TUN device. */
  fd?: number;
  /**
   * µs for which the event loop goes on asking for packets before it sleeps, while packets come so
   * close behind one another; 0 = never. Default 50. Costs CPU time that would be idle otherwise.
   */
  busyPollUs?: number;
}

export interface EthernetOptions {
  /** Device name; default `portside0` for a TAP. An interface by AF_PACKET must be there. */
  name?: string;
  /** Network namespace, as with a TUN. */
  netns?: string;
  /** An open descriptor of a TAP device. */
  fd?: number;
  /**
   * Our link-layer address. Default: one drawn at random on a TAP, by AF_PACKET the interface's
   * own, where nobody else must use it (docs/ethernet.md).
   */
  mac?: string;
  /** By AF_PACKET: the interface takes frames for everybody. Default false. */
  promiscuous?: boolean;
  busyPollUs?: number;
}

/** What was asked for, whichever kind it is. */
export interface DeviceWish extends TunOptions {
  kind?: 'tun' | 'tap' | 'packet';
  mac?: string;
  promiscuous?: boolean;
}

const LONGEST_NAME = 15;
/** A loop that does not sleep for longer helps nobody. */
const MOST_POLL_US = 10_000;
const KINDS = ['tun', 'tap', 'packet'] as const;

/** The one device of the options, null where there is none. @throws ERR_PORTSIDE_INVALID_OPTION */
export function readDevice(options: {
  tun?: unknown;
  tap?: unknown;
  packet?: unknown;
}): DeviceWish | null {
  const given = KINDS.filter((kind) => options[kind] !== undefined && options[kind] !== false);
  const [kind, second] = given;
  if (kind === undefined) return null;
  if (second !== undefined) {
    throw invalidOption(second, `cannot be given together with \`${kind}\``, options[second]);
  }
  const value = options[kind];
  const isAny = value === true && kind !== 'packet';
  const wish = isAny ? {} : typeof value === 'string' ? { name: value } : value;
  if (typeof wish !== 'object' || wish === null) {
    throw invalidOption(
      kind,
      `must be an object${kind === 'packet' ? '' : ','} or a device name${
        kind === 'packet' ? '' : ' or true'
      }`,
      value,
    );
  }
  check(kind, wish);
  return kind === 'tun' ? wish : { ...wish, kind };
}

function check(kind: string, wish: DeviceWish): void {
  const { name, driver, netns, fd, busyPollUs } = wish;
  if (name !== undefined && !isName(name, LONGEST_NAME)) {
    throw invalidOption(`${kind}.name`, 'must be a device name of 1 to 15 characters', name);
  }
  if (netns !== undefined && !isName(netns, 255)) {
    throw invalidOption(`${kind}.netns`, 'must be the name of a network namespace', netns);
  }
  if (driver !== undefined && !['auto', 'native', 'tuntap2'].includes(driver)) {
    throw invalidOption(`${kind}.driver`, "must be 'auto', 'native' or 'tuntap2'", driver);
  }
  if (fd !== undefined && !(Number.isInteger(fd) && fd >= 0)) {
    throw invalidOption(`${kind}.fd`, 'must be an open file descriptor', fd);
  }
  const isTime = (us: unknown): boolean => typeof us === 'number' && us >= 0 && us <= MOST_POLL_US;
  if (busyPollUs !== undefined && !isTime(busyPollUs)) {
    throw invalidOption(`${kind}.busyPollUs`, 'must be a number from 0 to 10000', busyPollUs);
  }
  const { mac, promiscuous } = wish;
  if (mac !== undefined && (typeof mac !== 'string' || parseMac(mac) === null)) {
    throw invalidOption(
      `${kind}.mac`,
      "must be an address of one host, like '02:00:5e:10:00:01'",
      mac,
    );
  }
  if (promiscuous !== undefined && typeof promiscuous !== 'boolean') {
    throw invalidOption(`${kind}.promiscuous`, 'must be true or false', promiscuous);
  }
  if (kind === 'packet' && (name === undefined || fd !== undefined)) {
    throw invalidOption(kind, 'must name an interface that is there', wish);
  }
}

export function isName(value: unknown, longest: number): boolean {
  return typeof value === 'string' && value.length <= longest && /^[^\s/\0.][^\s/\0]*$/.test(value);
}
