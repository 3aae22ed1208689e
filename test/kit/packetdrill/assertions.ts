// The blocks `%{ … }%` of a script: a small part of Python over the names of struct tcp_info.
// `assert A == B, message`, `print(…)`, `name = expression`; comparisons (chained too), and, or, not,
// arithmetic, abs, min, max.

import { Cursor, NotHere } from './cursor.ts';

export type Names = (name: string) => number;
type Val = number;

const WORD = /[A-Za-z_]\w*/y;

/**
 * Runs a block; throws when an assertion does not hold. Answers what it printed.
 * @param own what earlier blocks have assigned
 */
export function runCode(
  text: string,
  names: Names,
  own: Map<string, number> = new Map(),
): string[] {
  const printed: string[] = [];
  for (const source of statements(text)) {
    const c = new Cursor(source);
    const look: Names = (name) => own.get(name) ?? names(name);
    const assignment = c.take(/([A-Za-z_]\w*)\s*=(?!=)/y);
    if (assignment !== null) own.set(assignment[1] as string, expression(c, look));
    else if (c.take(/assert\b/y) !== null) {
      const holds = expression(c, look);
      const message = c.accept(',') ? rest(c, look) : '';
      if (holds === 0) throw new Error(`not so: ${source}${message === '' ? '' : ` (${message})`}`);
    } else if (c.take(/print\s*"[^"]*"\s*\.format\b/y) !== null) printed.push(rest(c, look));
    else if (c.take(/print\b/y) !== null) printed.push(rest(c, look));
    else if (c.take(/(?:import\b|pass\b)[^\n]*/y) === null) expression(c, look);
    if (!c.atEnd) throw new NotHere(`cannot read '${source.slice(c.pos)}' of '${source}'`);
  }
  return printed;
}

/** Lines and parts between semicolons; a line that ends in an open bracket or `\` goes on. */
function statements(text: string): string[] {
  const found: string[] = [];
  let held = '';
  for (const raw of text.replace(/#[^\n]*/g, '').split('\n')) {
    held += ` ${raw.replace(/\\$/, '')}`;
    const open = (held.match(/[([]/g) ?? []).length - (held.match(/[)\]]/g) ?? []).length;
    if (open > 0 || raw.endsWith('\\')) continue;
    found.push(...held.split(';').map((s) => s.trim()));
    held = '';
  }
  found.push(held.trim());
  return found.filter((s) => s !== '');
}

/** What is printed, or said with a failed assertion: texts and values, `%` and all. */
function rest(c: Cursor, look: Names): string {
  const parts: string[] = [];
  while (!c.atEnd) {
    const text = c.take(/"[^"]*"|'[^']*'/y);
    if (text !== null) parts.push(text[0].slice(1, -1));
    else if (c.take(/[(),%]/y) === null) parts.push(String(expression(c, look)));
  }
  return parts.join(' ');
}

function expression(c: Cursor, look: Names): Val {
  let left = conjunction(c, look);
  while (c.take(/or\b/y) !== null) {
    const right = conjunction(c, look);
    left = left !== 0 ? left : right;
  }
  return left;
}

function conjunction(c: Cursor, look: Names): Val {
  let left = negation(c, look);
  while (c.take(/and\b/y) !== null) {
    const right = negation(c, look);
    left = left === 0 ? left : right;
  }
  return left;
}

function negation(c: Cursor, look: Names): Val {
  if (c.take(/not\b/y) !== null) return negation(c, look) === 0 ? 1 : 0;
  return comparison(c, look);
}

const COMPARE: Readonly<Record<string, (a: Val, b: Val) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
};

function comparison(c: Cursor, look: Names): Val {
  let left = bits(c, look);
  let holds = true;
  let compared = false;
  for (let m = c.take(/==|!=|<=|>=|<|>/y); m !== null; m = c.take(/==|!=|<=|>=|<|>/y)) {
    const right = bits(c, look);
    holds &&= (COMPARE[m[0]] as (a: Val, b: Val) => boolean)(left, right);
    compared = true;
    left = right;
  }
  return compared ? Number(holds) : left;
}

function bits(c: Cursor, look: Names): Val {
  let left = sum(c, look);
  for (let m = c.take(/[&|]|<<|>>/y); m !== null; m = c.take(/[&|]|<<|>>/y)) {
    const right = sum(c, look);
    if (m[0] === '&') left &= right;
    else if (m[0] === '|') left |= right;
    else left = m[0] === '<<' ? left << right : left >> right;
  }
  return left;
}

function sum(c: Cursor, look: Names): Val {
  let left = product(c, look);
  for (let m = c.take(/[+-]/y); m !== null; m = c.take(/[+-]/y)) {
    const right = product(c, look);
    left = m[0] === '+' ? left + right : left - right;
  }
  return left;
}

function product(c: Cursor, look: Names): Val {
  let left = atom(c, look);
  for (let m = c.take(/\*\*|[*/%]/y); m !== null; m = c.take(/\*\*|[*/%]/y)) {
    const right = atom(c, look);
    if (m[0] === '*') left *= right;
    else if (m[0] === '**') left **= right;
    else if (m[0] === '/') left /= right;
    else left %= right;
  }
  return left;
}

const FUNCTIONS: Readonly<Record<string, (...of: Val[]) => Val>> = {
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
  int: Math.trunc,
  round: Math.round,
};

function atom(c: Cursor, look: Names): Val {
  if (c.accept('-')) return -atom(c, look);
  if (c.accept('(')) {
    const inner = expression(c, look);
    c.expect(')');
    return inner;
  }
  const number = c.take(/0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
  if (number !== null) return Number(number[0]);
  const name = c.must(WORD, 'a name or a number')[0];
  if (name === 'True') return 1;
  if (name === 'False') return 0;
  const call = FUNCTIONS[name];
  if (call === undefined || !c.accept('(')) return look(name);
  const args: Val[] = [];
  do args.push(expression(c, look));
  while (c.accept(','));
  c.expect(')');
  return call(...args);
}
