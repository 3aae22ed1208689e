// What the commands that send through a stack share: the stack of a running host (--host), or of a
// host of the command's own on a TUN that goes with it (--netns, --address). Either way they speak
// to it by its control socket.

import { mkdtempSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ControlClient, openHost } from '../node/control-client.ts';
import type { LookupAddress } from '../node/ground.ts';
import { createHost } from '../node/host.ts';
import { firstOther, parseAddress, parseTyped } from './addresses.ts';
import { type LookOptions, lookOption } from './look.ts';
import { sentence, UsageError } from './report.ts';

export interface ThroughOptions extends LookOptions {
  netns?: string;
  address?: string;
  peer?: string;
}

export function throughOptions(command: Command): Command {
  return lookOption(command)
    .option('--address <ADDR/PREFIX>', 'a host of its own instead, on a TUN that goes with it')
    .option('--netns <NAME>', 'the network namespace of that TUN')
    .option('--peer <ADDR>', "the kernel's address there (default: the prefix's first other host)");
}

/** A host to send through, and how to let go of it. */
export interface Through {
  readonly client: ControlClient;
  close(): Promise<void>;
}

export async function openThrough(o: ThroughOptions): Promise<Through> {
  if (o.address === undefined) {
    if (o.netns !== undefined) throw new UsageError('--netns needs --address ADDR/PREFIX');
    const client = await openHost(o.host);
    return { client, close: async () => client.close() };
  }
  const typed = parseTyped(o.address, '--address');
  const peer = o.peer === undefined ? firstOther(typed) : parseAddress(o.peer, '--peer');
  const host = await createHost({
    tun: {
      name: `ps${process.pid}`.slice(0, 15),
      ...(o.netns === undefined ? {} : { netns: o.netns }),
    },
    addresses: [typed.text],
    peer,
    routes: peer === null ? [] : [{ prefix: typed.family === 6 ? '::/0' : '0.0.0.0/0', via: peer }],
  });
  const folder = mkdtempSync(join(tmpdir(), 'portside-own-'));
  try {
    const client = await ControlClient.open(await host.serveControl(join(folder, 'sock')));
    const close = async (): Promise<void> => {
      client.close();
      await host.close();
      rmSync(folder, { recursive: true, force: true });
    };
    return { client, close };
  } catch (reason) {
    await host.close();
    rmSync(folder, { recursive: true, force: true });
    throw reason;
  }
}

/** Does `work`, ends with the exit code that it answers; a failure is a sentence and `failed`. */
export async function through(
  o: ThroughOptions,
  [name, failed]: readonly [string, number],
  work: (client: ControlClient) => Promise<number>,
): Promise<void> {
  let way: Through | null = null;
  let code = failed;
  try {
    way = await openThrough(o);
    code = await work(way.client);
  } catch (reason) {
    process.stderr.write(`${name}: ${sentence(reason)}\n`);
  }
  await way?.close();
  // What was written to a pipe is on its way; a terminal's is there.
  process.stdout.write('', () => process.exit(code));
}

/** The addresses of a name, by the host's own resolver; a literal is itself. */
export async function addressesOf(
  client: ControlClient,
  name: string,
  family: 0 | 4 | 6 = 0,
): Promise<LookupAddress[]> {
  const literal = isIP(name.split('%')[0] as string);
  if (literal !== 0) return [{ address: name, family: literal }];
  return client.ask<LookupAddress[]>('lookup', { name, family });
}

/** A number option within bounds, or UsageError. */
export function numberOption(
  text: string | undefined,
  name: string,
  [low, high]: readonly [number, number],
  fallback: number,
): number {
  if (text === undefined) return fallback;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= low && value <= high) return value;
  throw new UsageError(`${name}: '${text}' is not a number from ${low} to ${high}`);
}
