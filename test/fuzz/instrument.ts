// The instrumenter of the coverage-guided fuzzer: every way that a branch of src/ can take gets a
// counter. The sources are bundled by esbuild with the counters written in (places found in
// TypeScript's own syntax tree, text put in at them, nothing else changed). The sum of all counters
// is also a measure of work that no machine's speed changes: tests compare it at n and at 10 n.

import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import ts from 'typescript';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What the fuzzer wants to see all of. */
export const ROOMS = ['wire', 'ip', 'udp', 'tcp', 'demux', 'socket'] as const;

/** One way of a branch. */
export interface Edge {
  readonly file: string;
  readonly line: number;
  readonly what: string;
}

interface Insertion {
  readonly at: number;
  readonly text: string;
  /** Closing texts of inner nodes come before those of outer ones. */
  readonly order: number;
}

const ARRAY = '__edges';

class Writer {
  readonly insertions: Insertion[] = [];
  readonly #source: ts.SourceFile;
  readonly #edges: Edge[];
  readonly #file: string;
  #order = 0;

  constructor(source: ts.SourceFile, edges: Edge[], file: string) {
    this.#source = source;
    this.#edges = edges;
    this.#file = file;
  }

  #edge(node: ts.Node, what: string): string {
    const at = node.getStart(this.#source);
    const line = this.#source.getLineAndCharacterOfPosition(at).line + 1;
    this.#edges.push({ file: this.#file, line, what });
    return `${ARRAY}[${this.#edges.length - 1}]++`;
  }

  #put(at: number, text: string): void {
    this.insertions.push({ at, text, order: this.#order++ });
  }

  /** `{ count; statement }` */
  statement(node: ts.Statement, what: string): void {
    if (ts.isBlock(node)) {
      this.#put(node.getStart(this.#source) + 1, `${this.#edge(node, what)};`);
      this.visitChildren(node);
      return;
    }
    this.#put(node.getStart(this.#source), `{${this.#edge(node, what)};`);
    this.visit(node);
    this.#put(node.getEnd(), '}');
  }

  /** `(count, expression)` */
  expression(node: ts.Expression, what: string): void {
    this.#put(node.getStart(this.#source), `(${this.#edge(node, what)},`);
    this.visit(node);
    this.#put(node.getEnd(), ')');
  }

  visitChildren(node: ts.Node): void {
    ts.forEachChild(node, (child) => this.visit(child));
  }

  visit(node: ts.Node): void {
    if (ts.isTypeNode(node)) return;
    if (ts.isIfStatement(node)) this.#branch(node);
    else if (ts.isConditionalExpression(node)) {
      this.visit(node.condition);
      this.expression(node.whenTrue, 'yes');
      this.expression(node.whenFalse, 'no');
    } else if (ts.isBinaryExpression(node) && isLazy(node.operatorToken.kind)) {
      this.visit(node.left);
      this.expression(node.right, node.operatorToken.getText(this.#source));
    } else if (ts.isIterationStatement(node, false)) {
      ts.forEachChild(node, (child) => {
        if (child === node.statement) this.statement(node.statement, 'loop');
        else this.visit(child);
      });
    } else if (ts.isCaseOrDefaultClause(node)) {
      const first = node.statements[0];
      if (first !== undefined) {
        this.#put(first.getStart(this.#source), `${this.#edge(node, 'case')};`);
      }
      this.visitChildren(node);
    } else if (isFunction(node)) this.#function(node);
    else this.visitChildren(node);
  }

  #branch(node: ts.IfStatement): void {
    this.visit(node.expression);
    this.statement(node.thenStatement, 'then');
    if (node.elseStatement !== undefined) this.statement(node.elseStatement, 'else');
    else this.#put(node.getEnd(), ` else ${this.#edge(node, 'not')};`);
  }

  #function(node: ts.FunctionLikeDeclaration): void {
    ts.forEachChild(node, (child) => {
      if (child !== node.body) this.visit(child);
    });
    const body = node.body;
    if (body === undefined) return;
    if (ts.isBlock(body)) {
      if (ts.isConstructorDeclaration(node)) this.visitChildren(body);
      else this.statement(body, 'function');
    } else this.expression(body, 'function');
  }
}

function isLazy(kind: ts.SyntaxKind): boolean {
  return (
    kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken
  );
}

function isFunction(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isArrowFunction(node) ||
    ts.isFunctionExpression(node) ||
    ts.isGetAccessorDeclaration(node) ||
    ts.isSetAccessorDeclaration(node) ||
    ts.isConstructorDeclaration(node)
  );
}

/** The source with counters; what they count is appended to `edges`. */
export function instrument(text: string, file: string, edges: Edge[]): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const writer = new Writer(source, edges, file);
  writer.visitChildren(source);
  const sorted = writer.insertions.sort((a, b) => a.at - b.at || a.order - b.order);
  let out = `const ${ARRAY} = globalThis.portsideEdges;`;
  let from = 0;
  for (const { at, text: inserted } of sorted) {
    out += text.slice(from, at) + inserted;
    from = at;
  }
  return out + text.slice(from);
}

/** Room for counters of all of src/. */
export const MOST_EDGES = 1 << 14;

export interface Built {
  readonly file: string;
  readonly edges: readonly Edge[];
}

/** Bundles `entry` with counters in the rooms given, to `file`. */
export async function buildInstrumented(
  entry: string,
  file: string,
  rooms: readonly string[] = ROOMS,
): Promise<Built> {
  const edges: Edge[] = [];
  const filter = new RegExp(`/src/(${rooms.join('|')})/.*\\.ts$`);
  const plugin: Plugin = {
    name: 'counters',
    setup(b) {
      b.onLoad({ filter }, ({ path }) => {
        const name = relative(ROOT, path);
        return { contents: instrument(readFileSync(path, 'utf8'), name, edges), loader: 'ts' };
      });
    },
  };
  await build({
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
    banner: { js: `globalThis.portsideEdges ??= new Uint32Array(${MOST_EDGES});` },
    plugins: [plugin],
  });
  if (edges.length > MOST_EDGES) throw new Error(`${edges.length} counters, room for fewer`);
  return { file, edges };
}
