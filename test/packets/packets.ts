// Every test/packets/<area>/*.pkt as a test: its name is the title in the script's first comment.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';
import { runPd } from '../kit/packetdrill/run.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

interface ScriptFile {
  readonly file: string;
  readonly title: string;
  readonly text: string;
}

/** The scripts of an area, in the order of their names. */
export function scriptsOf(area: string): ScriptFile[] {
  const dir = `${HERE}${area}`;
  const names = readdirSync(dir).filter((name) => name.endsWith('.pkt'));
  return names.sort().map((name) => {
    const text = readFileSync(`${dir}/${name}`, 'utf8');
    return { file: `${area}/${name}`, title: titleOf(text), text };
  });
}

export function areas(): string[] {
  const entries = readdirSync(HERE, { withFileTypes: true });
  return entries.filter((e) => e.isDirectory()).map((e) => e.name);
}

/** The comment lines at the head of a script, up to the first that ends in a citation. */
export function titleOf(text: string): string {
  const head: string[] = [];
  for (const line of text.split('\n')) {
    const comment = /^\/\/\s?(.*)$/.exec(line.trim());
    if (comment === null) break;
    head.push(comment[1] as string);
    if ((comment[1] as string).endsWith(')')) break;
  }
  return head.join(' ').trim();
}

/** One test for each script of an area. */
export function playArea(area: string): void {
  describe(area, () => {
    for (const { file, title, text } of scriptsOf(area)) {
      test(title, () => {
        try {
          runPd(text);
        } catch (error) {
          if (error instanceof Error) error.message = `test/packets/${file} ${error.message}`;
          throw error;
        }
      });
    }
  });
}
