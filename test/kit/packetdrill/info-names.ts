// Names of struct tcp_info (and of the constants that go with it) for the blocks of a script.

import type { StreamSocket } from '../../../src/socket/stream-socket.ts';
import type { Names } from './assertions.ts';
import { CONSTANTS, InfoOption, STATE_NUMBERS } from './constants.ts';
import { NotHere } from './cursor.ts';

const CA: Readonly<Record<string, number>> = { open: 0, disorder: 1, cwr: 2, recovery: 3, loss: 4 };

export function infoNames(socket: StreamSocket | null): Names {
  return (name) => {
    const constant = CONSTANTS[name];
    if (constant !== undefined) return constant;
    const info = socket?.info() ?? null;
    if (info === null) throw new Error(`no connection to ask for ${name}`);
    if (name === 'tcpi_state') return STATE_NUMBERS[info.state] ?? 0;
    if (name === 'tcpi_ca_state') return CA[info.ca_state] ?? 0;
    if (name === 'tcpi_options') {
      const o = info.options;
      let bits = o.timestamps ? InfoOption.TCPI_OPT_TIMESTAMPS : 0;
      if (o.sack) bits |= InfoOption.TCPI_OPT_SACK;
      if (o.wscale) bits |= InfoOption.TCPI_OPT_WSCALE;
      if (o.ecn) bits |= InfoOption.TCPI_OPT_ECN;
      return bits | (o.syn_data ? InfoOption.TCPI_OPT_SYN_DATA : 0);
    }
    const value = (info as unknown as Record<string, unknown>)[name.replace(/^tcpi_/, '')];
    if (typeof value !== 'number') throw new NotHere(`no name ${name}`);
    return value;
  };
}
