// All figures in one table: `npm run bench [-- --rows 200000 --rounds 5 --only sandbox,streams,start,jsonata,kazaam,postgres]`.
// Ratios to a baseline of the same round. The A/A lines are a baseline against itself: a difference smaller than their spread
// says nothing. Run it on a machine that does nothing else. It fails on wrong output, never on a figure.

import { spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { copyProject } from '../project-copy.ts';
import { jsonataFigures } from './jsonata.ts';
import { kazaamFigures } from './kazaam.ts';
import { postgresFigures } from './postgres.ts';
import { sandboxFigures } from './sandbox.ts';
import { startFigures } from './startup.ts';
import { streamFigures } from './streams.ts';
import { HEAD, lineOf } from './table.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'sandbox,streams,start,jsonata,kazaam,postgres' },
  },
});
const rows = Number(values.rows);
const rounds = Number(values.rounds);
const parts = values.only.split(',');

// What users run is the package as it is built: the sources have their types taken off at every start.
using project = copyProject();
const built = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: project.at(), encoding: 'utf8' });
if (built.status !== 0) throw new Error(built.stderr);
const cli = project.at('dist/core/cli/main.js');

console.log(
  `Node ${process.version}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}; rows of about 1 KB, ${rounds} rounds`,
);
console.log(`${HEAD}`);
if (parts.includes('sandbox')) for (const figure of await sandboxFigures(rounds)) console.log(lineOf(figure));
if (parts.includes('streams'))
  for (const figure of await streamFigures(cli, { rows, rounds })) console.log(lineOf(figure));
if (parts.includes('start')) console.log(await startFigures(cli, rounds));
if (parts.includes('jsonata')) for (const figure of await jsonataFigures(rounds)) console.log(lineOf(figure));
if (parts.includes('kazaam')) for (const figure of kazaamFigures(rounds)) console.log(lineOf(figure));
if (parts.includes('postgres'))
  for await (const figure of postgresFigures(cli, { rows: rows * 1.5, rounds })) console.log(lineOf(figure));
