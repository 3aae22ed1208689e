// A vitest reporter that keeps what went wrong in a file, one line each, so that the closing lines
// of a run can name it: failed tests, files that did not load, errors outside of every test.
// The file's path is in PORTSIDE_FAILURES.

import { writeFileSync } from 'node:fs';

const LINE = 300;

export default class Failures {
  onTestRunEnd(modules, errors) {
    const lines = [];
    for (const module of modules) {
      const file = module.relativeModuleId;
      for (const error of module.errors())
        lines.push(`${module.project.name}: ${file}: ${textOf(error)}`);
      for (const test of module.children.allTests('failed')) {
        const [first] = test.result().errors ?? [];
        lines.push(`${module.project.name}: ${file} > ${test.fullName}: ${textOf(first)}`);
      }
    }
    for (const error of errors) lines.push(`outside of every test: ${textOf(error)}`);
    const path = process.env.PORTSIDE_FAILURES;
    // Written only when there is something to say.
    if (path && lines.length > 0) {
      writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
    }
  }
}

function textOf(error) {
  const text = String(error?.stack ?? error?.message ?? error);
  return text.replace(/\s+/g, ' ').slice(0, LINE);
}
