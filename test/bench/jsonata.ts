// JSONata's lanes against the untouched reference, in one isolate with the real realm and the real bridge: 250 rows of 1 KB go in
// as one text, and 250 results come out as one. Candidates alternate round by round; their outputs must be equal. Measured is
// the isolate's own processor time, which other work on the machine does not count into.
// Beside it, for scale: the same change written by hand in JavaScript.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import ivm from 'isolated-vm';
import { realm } from '../../sandbox/guest/realm.ts';
import type { GuestHost, GuestProgram, GuestRun } from '../../sandbox/index.ts';
import { bridge } from '../../transforms/guest.ts';
import { javascript } from '../../transforms/javascript/index.ts';
import { jsonata } from '../../transforms/jsonata/index.ts';
import { benchRow } from './rows.ts';
import type { Figure } from './table.ts';

const EVENTS = 250; // per call
const CALLS = 24; // per round
// as the sandbox starts its children
const COLLECTION = ['--min-semi-space-size=8', '--max-semi-space-size=8', '--no-parallel-scavenge'];

const EXPRESSIONS: readonly { name: string; least: number; expression: string; code: string }[] = [
  {
    name: 'rename six fields',
    least: 2,
    expression: `{ "order": id, "state": status, "customer": customer.id, "name": customer.name, "city": address.city, "at": placed_at }`,
    code: `export default (r) => ({ order: r.id, state: r.status, customer: r.customer.id, name: r.customer.name, city: r.address.city, at: r.placed_at })`,
  },
  {
    name: 'aggregate over an array',
    least: 5,
    expression: `{ "id": id, "total": $sum(items.(price * quantity)), "lines": $count(items), "dearest": $max(items.price) }`,
    code: `export default ({ id, items }) => ({ id, total: items.reduce((sum, i) => sum + i.price * i.quantity, 0), lines: items.length, dearest: Math.max(...items.map((i) => i.price)) })`,
  },
  {
    name: 'filter and map',
    least: 5,
    expression: `{ "id": id, "lines": items[quantity > 2].{ "sku": sku, "total": price * quantity } }`,
    code: `export default ({ id, items }) => ({ id, lines: items.filter((i) => i.quantity > 2).map((i) => ({ sku: i.sku, total: i.price * i.quantity })) })`,
  },
  {
    name: 'higher-order functions',
    least: 5,
    expression: `{ "id": id, "lines": $map($filter(items, function($i) { $i.quantity > 2 }), function($i) { { "sku": $i.sku, "total": $i.price * $i.quantity } }) }`,
    code: `export default ({ id, items }) => ({ id, lines: items.filter((i) => i.quantity > 2).map((i) => ({ sku: i.sku, total: i.price * i.quantity })) })`,
  },
];

/** Runs in the isolate: one text in, one text out, and how many events left their lane. */
function runner(make: GuestProgram, text: string): (rows: string) => string | Promise<string> {
  let deopts = 0;
  const host: GuestHost = {
    refuse: (why, message) => new Error(`${why}: ${message}`),
    needHeads: () => true,
    hasOddObject: () => false,
    log() {},
    reseed() {},
    deopt() {
      deopts++;
    },
  };
  const run: GuestRun = make(text, host);
  return (rows) => {
    const lines = rows.split('\n');
    const out = new Array<unknown>(lines.length);
    const go = (from: number): string | Promise<string> => {
      for (let i = from; i < lines.length; i++) {
        const result = run(lines[i]!, null, null);
        if (result instanceof Promise) {
          return result.then((value) => {
            out[i] = value;
            return go(i + 1);
          });
        }
        out[i] = result;
      }
      if (deopts > 0) throw new Error(`${deopts} events left their lane`);
      return out.join('\n');
    };
    return go(0);
  };
}

type Candidate = (rows: string) => Promise<string>;

async function contextOf(isolate: ivm.Isolate): Promise<ivm.Context> {
  const context = await isolate.createContext();
  await context.eval(`'use strict'; (${realm})()`);
  return context;
}

async function candidate(isolate: ivm.Isolate, language: typeof jsonata, source: string): Promise<Candidate> {
  const offset = { line: 1, column: 1 };
  const place = { file: 'bench', offset, dir: import.meta.dirname, scope: 'row' as const };
  const { guest, text } = await language.compile({ source, config: {}, ...place });
  const options = JSON.stringify({ scope: 'row', both: false, keep: false });
  const context = await contextOf(isolate);
  const call = (await context.eval(`(${runner})((${bridge})(${guest}, ${options}), ${JSON.stringify(text)})`, {
    reference: true,
  })) as ivm.Reference<(rows: string) => string>;
  return (rows) => call.apply(undefined, [rows], { result: { promise: true } }) as Promise<string>;
}

/** The library as its package has it, with nothing around it but JSON: the quickest way to use it. */
async function untouched(isolate: ivm.Isolate, expression: string): Promise<Candidate> {
  const library = readFileSync(createRequire(import.meta.url).resolve('jsonata/jsonata.js'), 'utf8');
  const context = await contextOf(isolate);
  const call = (await context.eval(
    `(() => {
      const module = { exports: {} };
      (function (module, exports) {${library}\n})(module, module.exports);
      const compiled = module.exports(${JSON.stringify(expression)});
      return async (rows) => {
        const lines = rows.split('\\n');
        for (let i = 0; i < lines.length; i++) lines[i] = JSON.stringify(await compiled.evaluate(JSON.parse(lines[i])));
        return lines.join('\\n');
      };
    })()`,
    { reference: true },
  )) as ivm.Reference<(rows: string) => string>;
  return (rows) => call.apply(undefined, [rows], { result: { promise: true } }) as Promise<string>;
}

export async function jsonataFigures(rounds: number): Promise<Figure[]> {
  const rows = Array.from({ length: EVENTS }, (_, i) => JSON.stringify(benchRow(i))).join('\n');
  for (const flag of COLLECTION) setFlagsFromString(flag);
  const figures: Figure[] = [];
  for (const { name, least, expression, code } of EXPRESSIONS) {
    const isolate = new ivm.Isolate({ memoryLimit: 256 });
    const reference = await untouched(isolate, expression);
    const lanes = {
      fast: await candidate(isolate, jsonata, expression),
      hand: await candidate(isolate, javascript, code),
    };
    const expected = await reference(rows);
    const time = async (run: (rows: string) => Promise<string>): Promise<number> => {
      const start = isolate.cpuTime;
      for (let i = 0; i < CALLS; i++) {
        if ((await run(rows)) !== expected) throw new Error(`${name}: another result than the reference's`);
      }
      return Number(isolate.cpuTime - start);
    };
    for (const run of [reference, lanes.fast, lanes.hand]) for (let i = 0; i < 3; i++) await time(run); // warm
    const ratios: Record<'again' | 'fast' | 'hand', number[]> = { again: [], fast: [], hand: [] };
    for (let round = 0; round < rounds; round++) {
      const base = await time(reference);
      ratios.again.push(base / (await time(reference)));
      ratios.fast.push(base / (await time(lanes.fast)));
      ratios.hand.push(base / (await time(lanes.hand)));
    }
    figures.push(
      { name: `JSONata, ${name}: reference (A/A)`, ratios: ratios.again },
      { name: `JSONata, ${name}: fast lane`, ratios: ratios.fast, least },
      { name: `    the same by hand in JavaScript`, ratios: ratios.hand },
    );
    isolate.dispose();
  }
  return figures;
}
