// A micro-bench of the file plugin: source to sink with nothing between, against a plain one-thread loop of JSON.parse, a
// function and JSON.stringify on the same file, in turns in one run. Prints ratios and CPU per row; fails only on wrong output.
// Run: node --conditions=source test/bench/file-plugin.ts [rows] [rounds]

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { PluginDefinition } from '../../core/plugin.ts';

// Plugins say `sluice/sdk`; from a script of its own, this is where it is.
const sdk = new URL('../../core/sdk.ts', import.meta.url).href;
registerHooks({
  resolve: (name, at, next) => (name === 'sluice/sdk' ? { url: sdk, shortCircuit: true } : next(name, at)),
});
const { default: file } = (await import('../../plugins/file/index.ts')) as { default: PluginDefinition };

const rows = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 5);
const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
const quiet = (): void => {};
const context = {
  stream: 'bench',
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  signal: new AbortController().signal,
  batch: { maxEvents: 1000, maxBytes: 1 << 20, maxWait: 50, respectSourceTx: true },
  auth: null,
  tap: false,
};

function row(i: number, unicode: boolean): string {
  const items = Array.from({ length: 9 }, (_, n) => ({
    sku: `SKU-${(i * 7 + n) % 5000}`,
    qty: n + 1,
    price: (n + 1) * 1.25,
    note: 'as ordered',
  }));
  const address = { street: '12 High Street', city: unicode ? '京都市' : 'Kyoto', zip: '600-8216', country: 'JP' };
  return JSON.stringify({
    id: i,
    customer: `customer ${i % 1000}`,
    email: `c${i % 1000}@example.org`,
    status: 'new',
    total: i * 1.1,
    address,
    items,
  });
}

const mutate = (value: { status: string; checked?: boolean }): object => {
  value.status = value.status.toUpperCase();
  value.checked = true;
  return value;
};

async function plain(from: string, to: string): Promise<void> {
  const out = createWriteStream(to);
  let lines: string[] = [];
  const flush = async (): Promise<void> => {
    const more = out.write(lines.join(''));
    lines = [];
    if (!more) await new Promise((resolve) => out.once('drain', resolve));
  };
  for await (const line of createInterface({
    input: createReadStream(from, { highWaterMark: 1 << 20 }),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    lines.push(`${JSON.stringify(mutate(JSON.parse(line)))}\n`);
    if (lines.length === 1000) await flush();
  }
  await flush();
  await new Promise<void>((resolve) => out.end(resolve));
}

async function plugin(from: string, to: string, options: object = {}): Promise<void> {
  const defaults = { format: 'row', numbers: 'exact', follow: false, poll: 1000, max_line: 8 << 20, encoding: 'utf-8' };
  await using source = await file.source!.create({ ...defaults, path: from, ...options } as never, context);
  await using sink = await file.sink!.create({ path: to, format: 'row' } as never, context);
  await sink.state!.restore(null);
  const { signal } = context;
  let batches = 0;
  for await (const item of source.read(null, signal)) {
    for (const { status } of await sink.write(item.batch, signal)) if (status !== 'ok') throw new Error(status);
    if (++batches % 4 === 0) await sink.state!.flush(); // the engine joins batches up to a few MiB
  }
  await sink.state!.flush();
}

async function timed(work: () => Promise<void>): Promise<{ wall: number; cpu: number }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const used = process.cpuUsage(cpu);
  return { wall: performance.now() - start, cpu: (used.user + used.system) / 1000 };
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

try {
  for (const unicode of [false, true]) {
    const texts = Array.from({ length: rows }, (_, i) => row(i, unicode));
    const lines = join(folder, 'rows.ndjson');
    const array = join(folder, 'rows.json');
    await writeFile(lines, `${texts.join('\n')}\n`);
    await writeFile(array, `[${texts.join(',\n')}]`);
    const hash = createHash('sha1')
      .update(await readFile(lines))
      .digest('hex');
    const sizes = Buffer.byteLength(texts[0]!);
    texts.length = 0;
    const out = join(folder, 'out.ndjson');
    const candidates: Record<string, () => Promise<void>> = {
      'plain loop': () => plain(lines, out),
      'plugin, lines': () => plugin(lines, out),
      'plugin, array': () => plugin(array, out),
      'plain loop again (A/A)': () => plain(lines, out),
    };
    const results = new Map<string, { wall: number[]; cpu: number[] }>();
    for (let round = 0; round <= rounds; round++) {
      for (const [name, work] of Object.entries(candidates)) {
        await rm(out, { force: true });
        const { wall, cpu } = await timed(work);
        if (
          name.startsWith('plugin') &&
          createHash('sha1')
            .update(await readFile(out))
            .digest('hex') !== hash
        ) {
          throw new Error(`${name}: the output is not the input`);
        }
        if (round === 0) continue; // warm-up
        const result = results.get(name) ?? { wall: [], cpu: [] };
        result.wall.push(wall);
        result.cpu.push(cpu);
        results.set(name, result);
      }
    }
    const base = median(results.get('plain loop')!.wall);
    console.log(`${rows} rows of ${sizes} B, ${unicode ? 'some unicode' : 'ASCII'}, median of ${rounds} rounds`);
    for (const [name, { wall, cpu }] of results) {
      const perRow = (ms: number): string => `${((ms * 1000) / rows).toFixed(2)} µs`;
      console.log(
        `  ${name.padEnd(24)} ${(base / median(wall)).toFixed(2)} × plain   wall ${perRow(median(wall))}   CPU ${perRow(median(cpu))} a row`,
      );
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
