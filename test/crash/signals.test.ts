// Invariant 7, the other ways to stop: SIGTERM and SIGINT drain, a second one ends at once, a second process on the same
// stream is refused, and a sandbox child that is killed costs nothing. Each time the stream is then run to its end.

import { expect, test } from 'vitest';
import { childrenOf, type RunningSluice, until } from '../cli.ts';
import { scaled } from '../long.ts';
import { type Bench, keepWriting, newBench } from './bench.ts';
import { LINES_MANIFEST, type Lines, openLines, RESHAPE_LINES } from './lines.ts';
import { endOfLines } from './lines-outcome.ts';
import { randomOf, seed } from './random.ts';

function start(manifest = LINES_MANIFEST, transform = RESHAPE_LINES): { bench: Bench; lines: Lines } {
  const bench = newBench({ 'sluice.yaml': manifest, 'reshape.js': transform });
  const lines = openLines(bench.path('in.ndjson'), randomOf(seed));
  for (let n = 0; n < 50; n++) lines.append();
  return { bench, lines };
}

const lengthOf = (bench: Bench): number => {
  try {
    return bench.read('out.ndjson').length;
  } catch {
    return 0;
  }
};

async function untilItGrows(bench: Bench, running: RunningSluice): Promise<void> {
  const before = lengthOf(bench);
  await until('the target grows', () => {
    if (running.child.exitCode !== null) throw new Error(`it ended by itself: ${running.said().stderr}`);
    return lengthOf(bench) > before;
  });
}

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('%s drains: exit code %i, what was read is delivered, and nothing is lost', async (signal, code) => {
  const { bench, lines } = start();
  using _ = bench;
  using writer = keepWriting(10, () => lines.append());
  for (let n = 0; n < scaled(20); n++) {
    const running = bench.start('run');
    await untilItGrows(bench, running);
    const end = await running.kill(signal);
    expect(end.code, end.stderr).toBe(code);
    writer.check();
    // Drained: the file ends where the checkpoint says, so the next start has nothing to cut off.
    const { ledger, state, sinks } = await bench.status();
    expect(state).toBe('stopped');
    expect(ledger.pending).toBe(0);
    const written = bench.read('out.ndjson').split('\n').length - 1;
    expect(lines.expected.slice(0, written).join('\n')).toBe(bench.read('out.ndjson').trimEnd());
    expect(sinks['copy']!.delivered).toBe(written);
    expect(ledger.in).toBeGreaterThan(0);
  }
  writer[Symbol.dispose]();
  await endOfLines(bench, lines);
  lines.close();
});

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('%s twice ends at once, whatever is in flight, and nothing is lost', async (signal, code) => {
  const forEver = RESHAPE_LINES.replace(
    "if (row.kind === 'poison')",
    "if (row.n === 300) for (const end = Date.now() + 300_000; Date.now() < end; );\n  if (row.kind === 'poison')",
  );
  const patient = LINES_MANIFEST.replace('./reshape.js }', './reshape.js, limits: { timeout: 60s } }').replace(
    'transformations:',
    'service: { graceful_shutdown_timeout: 600s }\ntransformations:',
  );
  const { bench, lines } = start(patient, forEver);
  using _ = bench;
  const running = bench.start('run');
  const said = (): string => running.said().stderr;
  await untilItGrows(bench, running); // the events before the one that takes for ever
  running.child.kill(signal);
  await until('the drain begins', () => said().includes('once more to end at once'));
  expect(running.child.exitCode).toBe(null);
  const children = childrenOf(running.child.pid!);
  const asked = performance.now();
  const end = await running.kill(signal);
  expect(end.code, end.stderr).toBe(code);
  expect(performance.now() - asked).toBeLessThan(15_000); // and not the minute that the event may take
  await until('its sandbox children end too', () => children.every((pid) => !isAlive(pid)));
  bench.write('sluice.yaml', LINES_MANIFEST);
  bench.write('reshape.js', RESHAPE_LINES);
  await endOfLines(bench, lines);
  lines.close();
});

test('a second process on the same stream is refused, and the first goes on undisturbed', async () => {
  const { bench, lines } = start();
  using _ = bench;
  const first = bench.start('run');
  await untilItGrows(bench, first);
  for (let n = 0; n < 3; n++) {
    const second = await bench.run('run');
    expect(second.code, second.stderr).toBe(3);
    expect(second.stderr).toContain('E_STATE_LOCKED');
    const grown = untilItGrows(bench, first);
    const before = lines.expected.length;
    while (lines.expected.length === before) lines.append(); // one line may be hidden, poisoned or broken
    lines.finish();
    await grown;
  }
  expect((await first.kill('SIGTERM')).code).toBe(143);
  await endOfLines(bench, lines);
  lines.close();
});

test('a sandbox child that is killed costs nothing: no event is lost, blamed or there twice', async () => {
  const { bench, lines } = start();
  using _ = bench;
  using writer = keepWriting(10, () => lines.append(100));
  const running = bench.start('run');
  const killed = new Set<number>();
  for (let n = 0; n < scaled(60); n++) {
    await untilItGrows(bench, running);
    const [victim] = await until('a child that was not killed yet', () => {
      const found = childrenOf(running.child.pid!).filter((pid) => !killed.has(pid));
      return found.length > 0 && found;
    });
    process.kill(victim!, 'SIGKILL');
    killed.add(victim!);
    expect(running.child.exitCode).toBe(null);
  }
  await untilItGrows(bench, running);
  writer.check();
  writer[Symbol.dispose]();
  expect((await running.kill('SIGTERM')).code).toBe(143);
  const { ledger, letters } = await endOfLines(bench, lines);
  console.log(
    `sandbox children: ${killed.size} killed; ${ledger.in} events, ${letters} dead letters, all of them poisoned`,
  );
  lines.close();
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
