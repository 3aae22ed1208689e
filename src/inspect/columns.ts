// A table for people: columns as wide as their widest cell, two spaces between them.

export function columns(
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string[] {
  const n = Math.max(0, ...rows.map((row) => row.length));
  const widths: number[] = [];
  for (let i = 0; i < n; i++) widths.push(Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const width = widths[i] as number;
        return right.includes(i) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
