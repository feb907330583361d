// Writes core/errors.md from the one table of codes (core/error-codes.ts). `--check` writes nothing and exits with 1 when the
// page is not current. Run it with the Node of this project: node_modules/.bin/node scripts/error-page.mjs

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorCodes } from '../core/error-codes.ts';

const file = fileURLToPath(new URL('../core/errors.md', import.meta.url));
const exit = { invalid: 2, runtime: 1, environment: 3 };
const cell = (text) => text.replace(/\|/g, '\\|').replace(/\s+/g, ' ');

let page = `# Errors

Every error has a code, a message, and mostly a fix and a place. The command line, \`--json\`, dead letters and the
playground show the same object: \`{ "code", "message", "fix", "at": { "file", "line", "column", "pointer" }, "cause" }\`.
A message never holds a value of the configuration. The class of a code decides the exit code of the command line: 2 for what
somebody wrote, 1 for what went wrong while running, 3 for this machine or a server. Plugins may have codes of their own,
which count as run-time failures; their READMEs say what they mean.

This page is made from \`core/error-codes.ts\` by \`scripts/error-page.mjs\`.

`;
const rows = Object.entries(errorCodes).map(([code, row]) => [
  `\`${code}\``,
  String(exit[row.class]),
  cell(row.means),
  cell(row.fix ?? ''),
]);
const head = ['code', 'exit', 'what it means', 'what to do'];
// aligned as the formatter wants it, so that the page is never current and badly formatted at once
const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column].length)));
const line = (cells, fill) => `| ${cells.map((text, column) => text.padEnd(widths[column], fill)).join(' | ')} |\n`;
page += line(head, ' ') + line(['', '', '', ''], '-') + rows.map((row) => line(row, ' ')).join('');

if (!process.argv.includes('--check')) {
  writeFileSync(file, page);
} else if (!existsSync(file) || readFileSync(file, 'utf8') !== page) {
  console.error('core/errors.md is not current: run node_modules/.bin/node scripts/error-page.mjs');
  process.exitCode = 1;
}
