// The ratios of `portside bench` as bars: an SVG, by itself or in a page. The line is Node on the
// kernel; what is right of it is faster.

import type { Circumstances } from './circumstances.ts';
import type { Row } from './table.ts';

const WIDTH = 760;
const LEFT = 110;
const BAR = 16;
const GAP = 6;
const TOP = 40;
const COLOURS = { net: '#2f6db3', core: '#3a9a63', node: '#999999' } as const;

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function text(x: number, y: number, content: string, more = ''): string {
  return `<text x="${x}" y="${y}" ${more}>${escaped(content)}</text>`;
}

function svg(rows: readonly Row[], where: Circumstances): string {
  const shown = rows.filter((r) => r.via !== 'node' && r.ratio !== null);
  const most = Math.max(1, ...shown.map((r) => r.ratio as number));
  const scale = (WIDTH - LEFT - 150) / most;
  const height = TOP + shown.length * (BAR + GAP) + 30;
  const one = LEFT + scale;
  const parts = [
    text(10, 20, 'portside beside Node on the kernel (= 1)', 'font-weight="bold"'),
    `<line x1="${one}" y1="${TOP - 8}" x2="${one}" y2="${height - 26}" stroke="#999"/>`,
  ];
  shown.forEach((r, i) => {
    const y = TOP + i * (BAR + GAP);
    const width = Math.max(1, (r.ratio as number) * scale);
    const label = `${(r.ratio as number).toFixed(2)}   ${r.rate.toFixed(2)} ${r.unit}`;
    parts.push(
      text(10, y + BAR - 4, `${r.cell} ${r.via}`),
      `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" ` +
        `fill="${COLOURS[r.via]}"/>`,
      text(LEFT + width + 6, y + BAR - 4, label),
    );
  });
  const { cpu, cpus, kernel, node, date } = where;
  parts.push(text(10, height - 8, `${cpu} x${cpus}, Linux ${kernel}, Node ${node}, ${date}`));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `font-family="sans-serif" font-size="12">\n${parts.join('\n')}\n</svg>\n`
  );
}

/** An SVG, or a page with it when the file's name ends in .html. */
export function chart(rows: readonly Row[], where: Circumstances, file: string): string {
  const drawing = svg(rows, where);
  if (!file.endsWith('.html')) return drawing;
  const head = '<!doctype html>\n<meta charset="utf-8">\n<title>portside bench</title>\n';
  return `${head}${drawing}`;
}
