// A scenario as text: what it teaches, and each packet on its way between the hosts, with what
// programs say, how states move, what the stacks judge and the rule behind a packet.

import type { Scenario } from '../sim/lab/stage.ts';
import type { EventRow } from './frames.ts';
import { type LabPacket, Player } from './player.ts';

const WIDTH = 96;
/** What of the log stands in a ladder; the rest is seen in the packets. */
const KINDS = new Set(['say', 'state', 'loss', 'undo', 'timer', 'refused', 'overflow', 'drop']);

/** What of one instant comes first: a packet arrives, the stack thinks, the program acts. */
const Order = { ARRIVES: 0, MOVES: 1e6, SAYS: 2e6, ANSWERS: 3e6, LEAVES: 4e6 } as const;

type Row = { us: number; order: number; text: string };

/** Lines of the whole scenario. @param most of these in the middle, others are counted */
export function ladder(scenario: Scenario, most: number): string[] {
  const player = new Player(scenario);
  player.runTo(scenario.untilUs);
  const head = [
    `${scenario.name}: ${scenario.title}`,
    '',
    ...wrapped(scenario.teaches, WIDTH, ''),
    '',
    ...scenario.look.flatMap((text) => wrapped(text, WIDTH, '  ')),
    '',
  ];
  const rows: Row[] = [
    ...player.packets.since(0).flatMap((packet, i) => packetRow(packet, i)),
    ...player.log.since(0).flatMap((event) => eventRow(event)),
  ];
  rows.sort((a, b) => a.us - b.us || a.order - b.order);
  const lines = rows.map((row) => row.text);
  return [...head, ...shortened(lines, most), '', ...drawn(player), ...closing(player)];
}

function shortened(lines: string[], most: number): string[] {
  if (lines.length <= most * 2) return lines;
  const left = lines.length - most * 2;
  const gap = `${' '.repeat(14)}… ${left} lines more (--all shows them) …`;
  return [...lines.slice(0, most), gap, ...lines.slice(-most)];
}

function time(us: number): string {
  return `${(us / 1000).toFixed(3).padStart(12)}  `;
}

/** A packet is told when it is sent, and when it arrives. */
function packetRow(p: LabPacket, i: number): Row[] {
  const why = p.why === '' ? '' : `   (${p.why})`;
  const order = (p.dir === 'in' ? Order.ARRIVES : Order.LEAVES) + i;
  const host = p.host.padEnd(9);
  if (p.dir === 'in') {
    const end = p.verdict === '' ? '' : `   ✗ discarded: ${p.verdict}`;
    return [{ us: p.us, order, text: `${time(p.us)}${host} ◀── ${p.info}${end}` }];
  }
  const lost = p.verdict === '' ? '' : `   ✗ ${p.verdict}`;
  const again = p.again ? ' again' : '';
  return [{ us: p.us, order, text: `${time(p.us)}${host} ──▶ ${p.info}${again}${lost}${why}` }];
}

function eventRow(e: EventRow): Row[] {
  if (!KINDS.has(e.kind)) return [];
  const mark = e.kind === 'say' ? '»' : '·';
  const text = `${time(e.us)}${e.host.padEnd(9)} ${mark} ${e.text}`;
  const after = /active open|closed by the program/.test(e.text);
  const order = e.kind === 'say' ? Order.SAYS : after ? Order.ANSWERS : Order.MOVES;
  return [{ us: e.us, order: order + e.n, text }];
}

function drawn(player: Player): string[] {
  return player.stage.drawings.flatMap(({ title, x, y, series }) => [
    title,
    ...series.flatMap(({ name, points }) => [
      `  ${name}`,
      ...sampled(points).map(([a, b]) => `    ${round(a)} ${x}`.padEnd(14) + `${round(b)} ${y}`),
    ]),
    '',
  ]);
}

/** At most a dozen points of a line. */
function sampled(points: readonly [number, number][]): readonly [number, number][] {
  const step = Math.max(1, Math.ceil(points.length / 12));
  return points.filter((_, i) => i % step === 0);
}

function round(n: number): string {
  return String(+n.toPrecision(3));
}

function closing(player: Player): string[] {
  const lost = player.packets.since(0).filter((p) => p.dir === 'out' && p.verdict !== '').length;
  const again = player.packets.since(0).filter((p) => p.dir === 'out' && p.again).length;
  const counts = [`${player.sent} packets`, `${lost} lost on the way`, `${again} sent again`];
  return [`${counts.join(', ')}; the same every time (hash ${player.world.hash})`];
}

function wrapped(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width - indent.length) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  const first = indent === '' ? '' : '- ';
  return lines.map((one, i) => `${i === 0 ? first : indent}${one}`);
}
