// The port table from rows of sockets: which port is held by whom, and by how many.

import { type BriefRow, endText } from './brief.ts';

export interface PortHolders {
  netid: string;
  port: number;
  holders: string;
  sockets: number;
  refused: number;
}

/** One row for each local port, in order; `*` and listeners first among its holders. */
export function portRows(rows: readonly BriefRow[]): PortHolders[] {
  const ports = new Map<string, Map<string, number>>();
  for (const row of rows) {
    const key = `${row.netid} ${row.localPort}`;
    const holders = ports.get(key) ?? new Map<string, number>();
    ports.set(key, holders);
    const where = row.state === 'LISTEN' || row.state === 'UNCONN';
    const who = where ? `${row.state} ${endText(row.local, row.localPort)}` : row.state;
    holders.set(who, (holders.get(who) ?? 0) + 1);
  }
  const table = [...ports].map(([key, holders]) => {
    const [netid, port] = key.split(' ') as [string, string];
    const words = [...holders].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
    return {
      netid,
      port: Number(port),
      holders: words.map(([who, n]) => (n === 1 ? who : `${n} × ${who}`)).join(' · '),
      sockets: words.reduce((sum, [, n]) => sum + n, 0),
      refused: 0,
    };
  });
  return table.sort((a, b) => a.port - b.port || (a.netid < b.netid ? -1 : 1));
}

function rank(who: string): number {
  return who.startsWith('LISTEN') || who.startsWith('UNCONN') ? 0 : 1;
}
