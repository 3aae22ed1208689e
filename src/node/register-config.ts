// What `portside/register` is told by the environment or by portside.config.json: names, forms,
// and the options of `createHost` that they come to. The environment goes before the file.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { coded, invalidOption } from './errors.ts';
import type { HostOptions, TunOptions } from './options.ts';

/** The keys of portside.config.json; PORTSIDE_… in the environment says the same. */
export interface RegisterConfig {
  /** Our addresses, `10.77.0.2/24`; without any and without `tun` the host is loopback alone. */
  addresses?: string[];
  /** Prefixes of which every address is ours. */
  own?: string[];
  /** Name of the TUN device; `portside0` where addresses are given. */
  tun?: string;
  netns?: string;
  /** The kernel's address on the device. */
  peer?: string;
  /** Name servers, asked over the stack. Without any, names are resolved as the machine does. */
  dns?: string[];
  /** Domains that short names are tried in, where `dns` is given. */
  search?: string[];
  /** Destinations that stay on the kernel: `10.0.0.0/8`, `127.0.0.1:5432`, `!10.1.0.0/16`. */
  kernel?: string[];
  mtu?: number;
}

const LISTS = ['addresses', 'own', 'dns', 'search', 'kernel'] as const;
const WORDS = ['tun', 'netns', 'peer'] as const;
const FILE = 'portside.config.json';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Null: `PORTSIDE=off`, the process stays as it is.
 * @throws ERR_PORTSIDE_INVALID_OPTION
 */
export function readConfig(env: Environment, folder: string): RegisterConfig | null {
  if (env['PORTSIDE'] === 'off') return null;
  const config = readFile(env['PORTSIDE_CONFIG'], folder);
  for (const name of LISTS) {
    const value = env[name === 'addresses' ? 'PORTSIDE' : `PORTSIDE_${name.toUpperCase()}`];
    if (value !== undefined && value !== '') config[name] = listOf(value);
  }
  for (const name of WORDS) {
    const value = env[`PORTSIDE_${name.toUpperCase()}`];
    if (value !== undefined && value !== '') config[name] = value;
  }
  const mtu = env['PORTSIDE_MTU'];
  if (mtu !== undefined && mtu !== '') config.mtu = Number(mtu);
  return config;
}

function listOf(text: string): string[] {
  return text
    .split(/[\s,]+/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function readFile(named: string | undefined, folder: string): RegisterConfig {
  const path = resolve(folder, named || FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!named && (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    return checkConfig(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw coded(TypeError, 'ERR_PORTSIDE_INVALID_OPTION', `${path}: ${error.message}`);
  }
}

/** Every key known and of its kind. @throws ERR_PORTSIDE_INVALID_OPTION */
export function checkConfig(value: unknown): RegisterConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidOption(FILE, 'must hold an object', value);
  }
  for (const [key, given] of Object.entries(value)) {
    if ((LISTS as readonly string[]).includes(key)) {
      const isList = Array.isArray(given) && given.every((entry) => typeof entry === 'string');
      if (!isList) throw invalidOption(key, 'must be a list of strings', given);
    } else if ((WORDS as readonly string[]).includes(key)) {
      if (typeof given !== 'string') throw invalidOption(key, 'must be a string', given);
    } else if (key === 'mtu') {
      if (typeof given !== 'number') throw invalidOption(key, 'must be a number', given);
    } else {
      const known = [...LISTS, ...WORDS, 'mtu'].join(', ');
      throw invalidOption(key, `is unknown (known: ${known})`, given);
    }
  }
  return { ...(value as RegisterConfig) };
}

/** Whether this configuration wants a device. */
export function wantsDevice(config: RegisterConfig): boolean {
  return (config.addresses?.length ?? 0) > 0 || config.tun !== undefined;
}

/** The options of `createHost`; without a device it is loopback alone. */
export function hostOptions(config: RegisterConfig): HostOptions {
  const own = (config.own ?? []).map((prefix) => ({ prefix, own: 'all' as const }));
  const options: HostOptions = { addresses: [...(config.addresses ?? []), ...own] };
  if (config.mtu !== undefined) options.mtu = config.mtu;
  if (!wantsDevice(config)) return options;
  const tun: TunOptions = { name: config.tun ?? 'portside0' };
  if (config.netns !== undefined) tun.netns = config.netns;
  options.tun = tun;
  if (config.peer !== undefined) options.peer = config.peer;
  return options;
}
