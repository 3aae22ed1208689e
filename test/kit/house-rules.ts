// The rules of the house as functions from a parsed source file to violations. Parsing is
// TypeScript's own; test/house.test.ts runs them over the tree and over samples that break them.

import ts from 'typescript';

export interface Source {
  /** Relative to the root of the repository, with `/`. */
  path: string;
  text: string;
  ast: ts.SourceFile;
}

/** `src/tcp/ack.ts:12  what is wrong` */
export type Violation = string;
export type Rule = (source: Source) => Violation[];

export function parse(path: string, text: string): Source {
  return { path, text, ast: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true) };
}

/** Folder of src/ → rank. A folder imports only itself and smaller ranks. */
export const RANKS: Record<string, number> = {
  base: 0,
  wire: 1,
  link: 2,
  demux: 2,
  ip: 3,
  udp: 4,
  tcp: 4,
  forward: 4,
  socket: 5,
  stack: 6,
  sim: 7,
  inspect: 7,
  services: 7,
  node: 8,
  web: 9,
  cli: 10,
};
const CORE_RANK = 7;

function at(source: Source, node: ts.Node, what: string): Violation {
  const { line } = source.ast.getLineAndCharacterOfPosition(node.getStart(source.ast));
  return `${source.path}:${line + 1}  ${what}`;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** `src/tcp/ack.ts` → `tcp`; a door at the top of src/ → its own name. */
function roomOf(path: string): string {
  const parts = path.split('/');
  return parts.length > 2 ? (parts[1] as string) : (parts[1] as string).replace(/\.ts$/, '');
}

/** Files of src/ itself: what `exports` of package.json leads to. */
const NODE_DOORS = new Set(['index', 'net', 'dgram', 'dns', 'register']);

function isDoor(room: string): boolean {
  return room === 'core' || NODE_DOORS.has(room);
}

/** Highest rank that a file may import. */
function reachOf(room: string): number {
  if (room === 'core') return CORE_RANK;
  if (NODE_DOORS.has(room)) return RANKS.node as number;
  return RANKS[room] ?? -1;
}

/** Every module that a file names: import, export … from, import(), import type. */
function importsOf(source: Source): { node: ts.Node; name: string }[] {
  const found: { node: ts.Node; name: string }[] = [];
  walk(source.ast, (node) => {
    let named: ts.Node | undefined;
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) named = node.moduleSpecifier;
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      named = node.argument.literal;
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      named = node.arguments[0];
    }
    if (named !== undefined && ts.isStringLiteral(named)) found.push({ node, name: named.text });
  });
  return found;
}

function resolveRelative(from: string, name: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const step of name.split('/')) {
    if (step === '..') parts.pop();
    else if (step !== '.') parts.push(step);
  }
  return parts.join('/');
}

/** Imports go downwards only; equal ranks are strangers; ranks 0–7 know nothing but themselves. */
export const ranks: Rule = (source) => {
  const room = roomOf(source.path);
  const reach = reachOf(room);
  if (reach < 0) return [`${source.path}:1  folder '${room}' has no rank`];
  const violations: Violation[] = [];
  for (const { node, name } of importsOf(source)) {
    if (!name.startsWith('.')) {
      if (reach > CORE_RANK && room !== 'core') continue;
      violations.push(at(source, node, `'${name}': ranks 0–7 import no package and no node:`));
      continue;
    }
    if (!name.endsWith('.ts')) violations.push(at(source, node, `'${name}' without .ts`));
    const target = resolveRelative(source.path, name);
    if (!target.startsWith('src/')) {
      violations.push(at(source, node, `'${name}' leaves src/`));
      continue;
    }
    const other = roomOf(target);
    if (other === room) continue;
    const rank = RANKS[other];
    if (room === 'index' && other === 'core') continue;
    if (isDoor(other)) violations.push(at(source, node, `imports the door '${other}.ts'`));
    else if (rank === undefined) violations.push(at(source, node, `'${other}' has no rank`));
    else if (isDoor(room) ? rank > reach : rank >= reach) {
      violations.push(at(source, node, `${room} [${reach}] imports ${other} [${rank}]`));
    }
  }
  return violations;
};

/** What the core has no right to: clocks, randomness, timers, the process, Node's globals. */
const FORBIDDEN = new Set([
  ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
  ...['process', 'console', 'Buffer', 'globalThis', 'require', 'crypto', 'fetch', 'Worker'],
]);

/** Sans-I/O: time, randomness and I/O are arguments in ranks 0–7. */
export const sansIo: Rule = (source) => {
  const room = roomOf(source.path);
  if (reachOf(room) > CORE_RANK) return [];
  const own = declaredNames(source);
  const violations: Violation[] = [];
  walk(source.ast, (node) => {
    if (ts.isPropertyAccessExpression(node) && node.getText(source.ast) === 'Math.random') {
      violations.push(at(source, node, 'Math.random in the core'));
    }
    if (!ts.isIdentifier(node) || !FORBIDDEN.has(node.text) || own.has(node.text)) return;
    if (isMemberName(node)) return;
    violations.push(at(source, node, `${node.text} in the core`));
  });
  return violations;
};

function declaredNames(source: Source): Set<string> {
  const names = new Set<string>();
  walk(source.ast, (node) => {
    const named =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isImportSpecifier(node) ||
      ts.isBindingElement(node);
    if (named && node.name !== undefined && ts.isIdentifier(node.name)) names.add(node.name.text);
  });
  return names;
}

/** `x.process`, `{ process: … }`, a method or field called `process`: a name, not a use. */
function isMemberName(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  return (
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent) ||
      ts.isGetAccessor(parent) ||
      ts.isSetAccessor(parent)) &&
    parent.name === node
  );
}

/** A file marked `// @hot` in its head allocates nothing in the functions that packets pass. */
export const hot: Rule = (source) => {
  if (!/^\/\/.*@hot\b/m.test(headOf(source))) return [];
  const violations: Violation[] = [];
  walk(source.ast, (node) => {
    const what = allocation(node);
    if (what !== null && isOnHotPath(source, node)) {
      violations.push(at(source, node, `${what} in a @hot file`));
    }
  });
  return violations;
};

function allocation(node: ts.Node): string | null {
  if (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) return 'closure';
  if (ts.isSpreadElement(node) || ts.isSpreadAssignment(node)) return 'spread';
  if (ts.isParameter(node) && node.dotDotDotToken !== undefined) return 'rest parameter';
  if (ts.isArrayBindingPattern(node)) return 'destructured array';
  if (ts.isBinaryExpression(node) && ts.isArrayLiteralExpression(node.left)) {
    return 'destructured array';
  }
  if (ts.isForOfStatement(node)) return 'for…of';
  if (ts.isTemplateExpression(node)) return 'template string';
  if (ts.isNewExpression(node)) return '`new`';
  return null;
}

/** Not at module level, not on the way to a throw, not in a constructor or a cold function. */
function isOnHotPath(source: Source, node: ts.Node): boolean {
  let inFunction = false;
  for (let up: ts.Node = node; !ts.isSourceFile(up); up = up.parent) {
    if (ts.isThrowStatement(up) || ts.isTypeNode(up)) return false;
    if ((ts.isStatement(up) || ts.isClassElement(up)) && isMarkedCold(source, up)) return false;
    if (up === node || !ts.isFunctionLike(up)) continue;
    inFunction = true;
    if (ts.isConstructorDeclaration(up)) return false;
    if (up.name !== undefined && /^#?(grow|widened)/.test(up.name.getText(source.ast)))
      return false;
  }
  return inFunction;
}

/** `// cold` in the comment above, or at the end of the first line. */
function isMarkedCold(source: Source, node: ts.Node): boolean {
  const leading = source.text.slice(node.getFullStart(), node.getStart(source.ast));
  if (/\/\/ cold\b|\* cold\b/.test(leading)) return true;
  const from = node.getStart(source.ast);
  const end = source.text.indexOf('\n', from);
  return /\/\/ cold\b/.test(source.text.slice(from, end < 0 ? undefined : end));
}

export const MOST_FUNCTION_LINES = 70;
export const MOST_PARAMETERS = 5;
export const MOST_FILE_LINES = 400;
export const MOST_COLUMNS = 100;

/** Functions fit a screen and take at most five parameters. */
export const functionSize: Rule = (source) => {
  const violations: Violation[] = [];
  walk(source.ast, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
    const first = source.ast.getLineAndCharacterOfPosition(node.getStart(source.ast)).line;
    const last = source.ast.getLineAndCharacterOfPosition(node.getEnd()).line;
    const name = node.name?.getText(source.ast) ?? 'function';
    if (last - first + 1 > MOST_FUNCTION_LINES) {
      violations.push(at(source, node, `${name}: ${last - first + 1} lines`));
    }
    // `_listen2` and its like are Node's methods, with Node's parameters.
    if (name.startsWith('_')) return;
    const count = node.parameters.filter((p) => p.name.getText(source.ast) !== 'this').length;
    if (count > MOST_PARAMETERS) violations.push(at(source, node, `${name}: ${count} parameters`));
  });
  return violations;
};

/** A file is a room to live in. */
export const fileLength: Rule = ({ path, text }) => {
  const lines = text.split('\n');
  const count = lines.at(-1) === '' ? lines.length - 1 : lines.length;
  return count > MOST_FILE_LINES ? [`${path}:1  ${count} lines`] : [];
};

export const lineWidth: Rule = ({ path, text }) => {
  const lines = text.split('\n');
  const violations: Violation[] = [];
  for (let i = 0; i < lines.length; i++) {
    const columns = Array.from(lines[i] as string).length;
    if (columns > MOST_COLUMNS) violations.push(`${path}:${i + 1}  ${columns} columns`);
  }
  return violations;
};

/** Comments before the first statement. */
function headOf(source: Source): string {
  const first = source.ast.statements[0] ?? source.ast.endOfFileToken;
  return source.text.slice(0, first.getStart(source.ast)).replace(/^#!.*\n/, '');
}

/** The first thing in a file says what the file is. */
export const headComment: Rule = (source) =>
  /^\s*(\/\/|\/\*)\s*\S/.test(headOf(source)) ? [] : [`${source.path}:1  no head comment`];

/** Words that stand where something is missing. */
export const unfinished: Rule = ({ path, text }) => {
  const violations: Violation[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const word = /\b(TODO|FIXME|XXX|HACK)\b/.exec(lines[i] as string);
    if (word !== null) violations.push(`${path}:${i + 1}  ${word[0]}`);
  }
  return violations;
};

/** A door re-exports and does nothing else. */
export const doorsOnly: Rule = (source) =>
  source.ast.statements
    .filter((node) => !ts.isExportDeclaration(node) || node.moduleSpecifier === undefined)
    .map((node) => at(source, node, 'a door holds re-exports only'));
