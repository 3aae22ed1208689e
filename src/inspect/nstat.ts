// Counters as nstat prints them: what has moved since the last look, or everything (nstat(8)).
// Reasons for discarded packets stand behind the counters, as `Drop…` with Linux's name.

export type Values = Readonly<Record<string, number>>;

/** Counters and drop reasons under one roof. */
export function valuesOf(counters: Values, drops: Values): Record<string, number> {
  const all: Record<string, number> = { ...counters };
  for (const [reason, n] of Object.entries(drops)) all[`Drop${reason}`] = n;
  return all;
}

export interface NstatShown {
  /** What was seen at the last look: the difference is shown; null: since the start. */
  readonly before: Values | null;
  /** Zeros too. */
  readonly zeros: boolean;
  /** Names with `*`; empty: every one. */
  readonly patterns: readonly string[];
}

export function nstatRows(now: Values, o: NstatShown): (readonly [string, number])[] {
  const wanted = o.patterns.map(patternOf);
  const rows: (readonly [string, number])[] = [];
  for (const [name, value] of Object.entries(now)) {
    if (wanted.length > 0 && !wanted.some((pattern) => pattern.test(name))) continue;
    const before = o.before?.[name] ?? 0;
    // a host that was started anew counts from 0 again
    const moved = value >= before ? value - before : value;
    if (moved !== 0 || o.zeros) rows.push([name, moved]);
  }
  return rows;
}

function patternOf(text: string): RegExp {
  const escaped = text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*');
  return new RegExp(`^${escaped}$`, 'i');
}

export function nstatText(rows: readonly (readonly [string, number])[]): string[] {
  return ['#portside', ...rows.map(([name, n]) => `${name.padEnd(32)}${n}`)];
}
