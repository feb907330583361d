// Starts the shop and, beside it, `sluice run`; ends when nothing has changed for two seconds, and says what to try next.
// Guarantees: starts afresh each time (only ./data is removed); does not end before both processes have ended.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const shop = join(here, 'shop.mjs');
const manifest = join(here, 'sluice.yaml');
const history = join(here, 'data/history.ndjson');
const cli = fileURLToPath(new URL('../../core/cli/main.ts', import.meta.url));

rmSync(join(here, 'data'), { recursive: true, force: true });
if (spawnSync(process.execPath, [shop, 'open'], { stdio: 'inherit' }).status !== 0) process.exit(1);

const sluice = start(['--conditions=source', '--no-warnings', cli, 'run', manifest, '--until-idle', '2s']);
let trading = null;
let isStopping = false;
process.on('SIGINT', () => {
  isStopping = true; // a terminal tells all of us; Sluice must not hear it twice, or it would not drain
});
process.on('SIGTERM', () => {
  isStopping = true;
  sluice.process.kill();
});
sluice.ended.then(() => trading?.process.kill());

// The shop opens when the rows that were there have arrived: from then on, each change is seen as a change.
while (sluice.process.exitCode === null && !isStopping && !hasSnapshot()) await pause(50);
if (sluice.process.exitCode === null && !isStopping) {
  trading = start([shop, 'trade']);
  const failed = (await trading.ended) !== 0;
  if (failed && !isStopping) sluice.process.kill();
}
process.exitCode = await sluice.ended;
if (process.exitCode === 0) sayWhatNext();

function start(args) {
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
  return { process: child, ended };
}

function hasSnapshot() {
  return existsSync(history) && readFileSync(history, 'utf8').includes('"table":"orders"');
}

function sayWhatNext() {
  const run = (verb, flags = '') => `npm run -s sluice -- ${verb} ${relative(process.cwd(), manifest)}${flags}`;
  const transform = relative(process.cwd(), join(here, 'reshape-orders.ts'));
  console.log(`
The shop's changes are in ${relative(process.cwd(), join(here, 'data'))}: warehouse.db and history.ndjson.
An order that the transform throws on is a dead letter. See it, mend the transform, and let the order through:

  ${run('dead-letters list')}
  sed -i.bak 's/JSON.parse(row.items)/Object.values(JSON.parse(row.items))/' ${transform}
  ${run('dead-letters replay', ' --dry-run')}
  ${run('dead-letters replay')}
  ${run('status')}
`);
}
