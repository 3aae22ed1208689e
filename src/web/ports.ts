// Rows of the port table, from the stack's own rows: here or over the control socket.

import { endText } from '../inspect/brief.ts';
import type { Stack } from '../stack/stack.ts';
import { type PortRow as HeldPort, portRows } from '../stack/tables.ts';
import type { PortRow } from './frames.ts';

export function holderText({ netid, port, holders, states, refused }: HeldPort): PortRow {
  const held = holders.map(({ address, state, queue, backlog }) => {
    const full = state === 'LISTEN' ? ` (backlog ${queue}/${backlog})` : '';
    return `${state} ${endText(address, port)}${full}`;
  });
  const counted = Object.entries(states).map(([state, n]) => (n === 1 ? state : `${n} × ${state}`));
  const sockets = holders.length + Object.values(states).reduce((a, b) => a + b, 0);
  return { netid, port, holders: [...held, ...counted].join(' · '), sockets, refused };
}

export function holderRows(stack: Stack, host: string): PortRow[] {
  return portRows(stack).map((row) => ({ ...holderText(row), host }));
}
