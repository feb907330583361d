// The playground's requests, one after the other, over a real manifest with the real sandbox, store and files.

import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { endpoints } from '../../playground/server/api.ts';
import { sluice } from '../cli.ts';
import { captured, type Playground, playground, SHOP } from './bench.ts';

let on: Playground | undefined;
afterEach(async () => {
  await on?.[Symbol.asyncDispose]();
  on = undefined;
});

async function shop(files: Readonly<Record<string, string>> = {}): Promise<Playground> {
  on = await playground({ ...SHOP, ...files });
  return on;
}

const row = (text: string): Record<string, unknown> => (JSON.parse(text) as { after: Record<string, unknown> }).after;

describe('the session', () => {
  test('says what is open: streams, the code of each transformation, languages and limits', async () => {
    const session = await (await shop()).ask('session');
    expect(session.streams).toMatchObject([
      { id: 'shop', source: 'sample', transformations: ['mask', 'shout'], sinks: [{ id: 'out', type: 'file' }] },
    ]);
    expect(session.transformations).toMatchObject([
      { id: 'mask', type: 'javascript', inline: false, file: 'mask.js', source: SHOP['mask.js'] },
      { id: 'shout', type: 'jsonata', inline: true, file: 'shout.jsonata' },
    ]);
    expect(session.languages.map(({ name }) => name)).toEqual(['javascript', 'typescript', 'jsonata', 'kazaam']);
    expect(session.default_limits.timeout).toBe(50);
  });

  test('never holds a secret of the manifest, wherever it stands in it', async () => {
    const secret = 'correct-horse-battery';
    const yaml = SHOP['sluice.yaml'].replace(
      '{ id: out, type: file, path: ./out.ndjson, format: event }',
      `{ id: out, type: http, url: "https://shop:${secret}@127.0.0.1:9/", headers: { authorization: "Bearer ${secret}" } }`,
    );
    const p = await shop({ 'sluice.yaml': yaml });
    const steps = [
      { id: 'mask', source: `${SHOP['mask.js']}\n` },
      { id: 'shout', source: '$' },
    ];
    const texts = [
      JSON.stringify(await p.ask('session')),
      JSON.stringify(await p.ask('preview', { body: { stream: 'shop', steps } })),
      JSON.stringify(await p.refused('writeManifest', { body: { stream: 'shop', steps, base: 'old' } })),
      JSON.stringify(await p.ask('plugins')),
    ];
    for (const text of texts) expect(text).not.toContain(secret);
    expect(texts[1]).toContain('***');
  });

  test('says when older events are stored than it looks at', async () => {
    const p = await shop();
    const [one] = await captured(p);
    expect((await p.ask('events', { query: { stream: 'shop' } })).more).toBe(false);
    const stored = Array.from({ length: 1001 }, (_, i) => ({
      stream: 'shop',
      event_id: `e${i}`,
      event: one!.text.replace(one!.id, `e${i}`),
      captured_at: new Date(i).toISOString(),
      details: { columns: [], typed: true, transforms: [] },
    }));
    await p.store.addCaptures(stored, { max_events: 5000, max_bytes: 2 ** 30, since: '' });
    const { total, more } = await p.ask('events', { query: { stream: 'shop', q: 'id:nobody' } });
    expect([total, more]).toEqual([0, true]);
  });

  test('nor does code show one that is among its constants, in whatever guise', async () => {
    const secret = 'correct-horse-battery';
    process.env['PLAYGROUND_TEST_KEY'] = secret;
    const p = await shop({
      'sluice.yaml': SHOP['sluice.yaml'].replace(
        '    expression: |',
        "    constants: { key: '${env:PLAYGROUND_TEST_KEY}' }\n    expression: |",
      ),
      'shout.tests.yaml': 'tests:\n  - { name: a, row: { id: 1, status: a }, expect: { row: { status: B } } }\n',
    });
    const source = '{ "status": $key, "reversed": $reverse($split($key, "")) }';
    const events = [{ text: '{"id":1}' }];
    const ran = await p.ask('run', {
      body: { tab: 'a', stream: 'shop', steps: [{ id: 'shout', source }], events },
    });
    expect(ran.results[0]!.fate).toBe('ok');
    const tested = await p.ask('runTests', { body: { transform: 'shout', step: { id: 'shout', source } } });
    expect(tested.failed).toBe(1);
    const told = JSON.stringify([ran, tested]);
    expect(told).not.toContain(secret);
    expect(told.replaceAll(/[^a-z]/g, '')).not.toContain('yrettabesrohtcerroc');
  });

  test('each language begins with code that passes a row on as it is', async () => {
    const p = await shop();
    const { languages } = await p.ask('session');
    const text = '{"id":1,"note":"x"}';
    for (const { name: type, template: source } of languages) {
      const body = { tab: 'a', stream: 'shop', steps: [{ id: 'new', type, source }], events: [{ text }] };
      const { results, problem } = await p.ask('run', { body });
      expect(problem, type).toBeUndefined();
      expect(row(results[0]!.outputs[0]!), type).toEqual(JSON.parse(text));
    }
  });
});

describe('events', () => {
  test('are taken live from the source, listed newest first, filtered, and kept when they are pinned', async () => {
    const p = await shop();
    const told: string[] = [];
    const reader = p.bench.changes.listen(p.bench.files()).getReader();
    const events = await captured(p);
    expect(events.map(({ op, table }) => `${op} ${table}`).slice(0, 3)).toEqual([
      'r customers',
      'r customers',
      'c orders',
    ]);
    for (let text = ''; !text.includes('"done"'); told.push(text)) {
      text = Buffer.from((await reader.read()).value!).toString();
    }
    expect(told.at(-1)).toContain('"events":12');
    await reader.cancel();

    const list = async (q: string) => (await p.ask('events', { query: { stream: 'shop', q } })).events;
    expect((await list('table:orders op:d')).map(({ op }) => op)).toEqual(['d']);
    expect((await list('has:before')).length).toBeGreaterThan(2);
    expect((await list('status:shipped op:u')).length).toBe(1);
    expect((await list('"O\'Brien"')).every(({ text }) => text.includes("O'Brien"))).toBe(true);
    expect(await list('no-such-text')).toEqual([]);

    const [first] = events;
    expect((await p.ask('pin', { body: { ref: first!.ref, pinned: true } })).event.pinned).toBe(true);
    expect((await list(''))[0]).toMatchObject({ ref: first!.ref, pinned: true });
  });

  test('are redacted before they leave, and run as they are shown', async () => {
    const yaml = SHOP['sluice.yaml'].replace('redact: { patterns: [] }', 'redact: { columns: [name] }');
    const p = await shop({ 'sluice.yaml': yaml });
    const events = await captured(p);
    for (const { text } of events) expect(text).not.toMatch(/Zoë|shop\.example/);
    const body = { tab: 'a', stream: 'shop', events: events.map(({ ref }) => ({ ref })) };
    expect(JSON.stringify(await p.ask('run', { body }))).not.toMatch(/Zoë|zoe@shop\.example/);
  });

  test('keep their refs over a restart, as long as the store has them', async () => {
    const p = await shop();
    await sluice(['capture', join(p.folder, 'sluice.yaml'), '--max', '5'], { cwd: p.folder });
    const { events } = await p.ask('events', { query: { stream: 'shop' } });
    expect(events.length).toBe(5);
    const body = { tab: 'a', stream: 'shop', events: [{ ref: events[0]!.ref }] };
    expect((await p.ask('run', { body })).results[0]!.id).toBe(events[0]!.id);
    expect(await p.refused('run', { body: { ...body, events: [{ ref: 'gone' }] } })).toMatchObject({
      status: 404,
      error: { code: 'E_PLAYGROUND_NOT_FOUND' },
    });
  });
});

describe('a run', { timeout: 180_000 }, () => {
  test('says of every event what became of it, with its log lines, and where it failed', async () => {
    const p = await shop();
    const events = await captured(p);
    const body = { tab: 'a', stream: 'shop', events: events.map(({ ref }) => ({ ref })), until: 'mask' };
    const { results } = await p.ask('run', { body });
    expect(results.map(({ fate }) => fate)).toEqual(
      events.map(({ op, id }) => (op === 'd' ? 'filtered' : id === '1:5' ? 'failed' : 'ok')),
    );
    const failed = results.find(({ fate }) => fate === 'failed')!;
    expect(failed).toMatchObject({
      step: 'mask',
      error: { code: 'E_TRANSFORM_RUNTIME', at: { file: 'mask.js', line: 5, column: 38 } },
    });
    expect(results[2]!.logs).toEqual([
      { level: 'info', text: 'pieces of 9007199254740993', at: { file: 'mask.js', line: 4, column: 11 } },
    ]);
    expect(row(results[2]!.outputs[0]!)['pieces']).toBe(5);
  });

  test('goes through the chain up to a step, and shows what that step got and gave', async () => {
    const p = await shop();
    const order = (await captured(p)).find(({ op, table }) => op === 'c' && table === 'orders')!;
    const { results } = await p.ask('run', { body: { tab: 'a', stream: 'shop', events: [{ ref: order.ref }] } });
    const [one] = results;
    expect(one).toMatchObject({ fate: 'ok', step: 'shout' });
    expect(row(one!.inputs[0]!)).toMatchObject({ status: 'new', pieces: 5 });
    expect(row(one!.outputs[0]!)).toMatchObject({ status: 'NEW', pieces: 5 });
  });

  test.each([
    ['javascript', 'export default (row) => {\n  return { ...row, n: row.nothing.here };\n};\n', [2, 35]],
    ['typescript', 'export default (row: { n?: { m: number } }) => {\n  return { n: row.n!.m };\n};\n', [2, 22]],
    ['jsonata', '$merge([$,\n  { "n": $number("x") }\n])', [2, 17]],
    ['kazaam', '[\n  { "operation": "shift", "spec": { "a": "b" }, "require": true }\n]', [2, 3]],
  ])('places an error of %s where it is in the editor', async (type, source, [line, column]) => {
    const p = await shop();
    const body = { tab: 'a', stream: 'shop', steps: [{ id: 'draft', type, source }], events: [{ text: '{"id":1}' }] };
    const { results } = await p.ask('run', { body });
    expect(results[0]!.error?.at).toMatchObject({ line, column });
  });

  test.each([
    ['javascript', 'export default (row) => {\n  return { ...row, };;\n  }}\n', 3],
    ['typescript', 'export default (row: { => row', 1],
    ['jsonata', '$merge([$,\n  { "n": ) }', 2],
    ['kazaam', '[\n  { "operation": "shft" }\n]', 2],
  ])('of code in %s that does not compile runs nothing, and names the line', async (type, source, line) => {
    const p = await shop();
    const body = { tab: 'a', stream: 'shop', steps: [{ id: 'draft', type, source }], events: [{ text: '{"id":1}' }] };
    const { results, problem, step } = await p.ask('run', { body });
    expect(results.map(({ fate }) => fate)).toEqual(['not_run']);
    expect(step).toBe('draft');
    expect(problem).toMatchObject({ code: 'E_TRANSFORM_SYNTAX', at: { line } });
  });

  test('tells fan-out from one output, and an event that fails at the second step from the others of its event', async () => {
    const p = await shop();
    const fan = 'export default (row) => [row, { ...row, id: 2 }];';
    const picky = 'export default (row) => { if (row.id === 2) throw new Error("no two"); return row; };';
    const steps = [
      { id: 'fan', type: 'javascript', source: fan },
      { id: 'picky', type: 'javascript', source: picky },
    ];
    const events = [{ text: '{"id":1}' }];
    const first = await p.ask('run', { body: { tab: 'a', stream: 'shop', steps, until: 'fan', events } });
    expect(first.results[0]).toMatchObject({ fate: 'fan_out' });
    expect(first.results[0]!.outputs).toHaveLength(2);
    const both = await p.ask('run', { body: { tab: 'a', stream: 'shop', steps, events } });
    expect(both.results[0]).toMatchObject({ fate: 'failed', step: 'picky', error: { message: 'Error: no two' } });
    expect(both.results[0]!.outputs).toHaveLength(1);
  });

  test('of the same tab ends the older one', async () => {
    const p = await shop();
    const slow = 'export default (row) => { for (;;); };';
    const many = Array.from({ length: 40 }, (_, i) => ({ text: `{"id":${i}}` }));
    const older = p.refused('run', {
      body: { tab: 'a', stream: 'shop', steps: [{ id: 'x', type: 'javascript', source: slow }], events: many },
    });
    const newer = p.ask('run', { body: { tab: 'a', stream: 'shop', events: [{ text: '{"id":1,"items":[]}' }] } });
    expect(await older).toMatchObject({ status: 409, error: { code: 'E_PLAYGROUND_REPLACED' } });
    expect((await newer).results).toHaveLength(1);
  });

  test('ends when its time is over, says so, and keeps what was done until then', async () => {
    const p = await shop();
    const slow = 'export default (row) => { for (;;); };';
    const events = Array.from({ length: 200 }, (_, i) => ({ text: `{"id":${i}}` }));
    const body = { tab: 'a', stream: 'shop', steps: [{ id: 'x', type: 'javascript', source: slow }], events };
    const { results, stopped } = await p.ask('run', { body });
    expect(results).toHaveLength(200);
    expect(results[0]).toMatchObject({ fate: 'failed', error: { code: 'E_TRANSFORM_TIMEOUT' } });
    expect(results.at(-1)!.fate).toBe('not_run');
    expect(stopped).toMatchObject({ code: 'E_PLAYGROUND_TIME' });
  });

  test('says what each event took in the sandbox when it is asked to measure: time, and memory', async () => {
    const p = await shop();
    const source = `export default (row) => {
      const until = row.big ? 60_000 : 10;
      const all = [];
      for (let i = 0; i < until; i++) all.push({ i });
      return { n: all.length };
    };`;
    const steps = [{ id: 'x', type: 'javascript', source }];
    const events = [{ text: '{"big":false}' }, { text: '{"big":true}' }, { text: '{"big":false}' }];
    const body = { tab: 'a', stream: 'shop', steps, events };
    const plain = await p.ask('run', { body });
    const { results } = await p.ask('run', { body: { ...body, measured: true } });
    expect(plain.results).toEqual(results.map(({ ms: _, memory: __, ...rest }) => rest));
    const [, big, small] = results; // the first pays for the start
    expect(big!.ms!).toBeGreaterThan(small!.ms!);
    expect(small!.memory!).toBeGreaterThan(0);
    expect(small!.memory!).toBeLessThan(1 << 18);
    expect(big!.memory ?? Number.POSITIVE_INFINITY).toBeGreaterThan(1 << 20);
  });

  test('takes a helper module as it is on disk, also after it has changed there', async () => {
    const p = await shop({ 'words.js': "export const word = 'old';\n" });
    const source = "import { word } from './words.js';\nexport default (row) => ({ ...row, word });\n";
    const body = { tab: 'a', stream: 'shop', steps: [{ id: 'mask', source }], events: [{ text: '{"id":1}' }] };
    const word = async () => row((await p.ask('run', { body })).results[0]!.outputs[0]!)['word'];
    expect(await word()).toBe('old');
    p.write('words.js', "export const word = 'new';\n");
    expect(await word()).toBe('new');
  });
});

test('plugins are listed, and the schemas of each are those that check its configuration', async () => {
  const p = await shop();
  const { plugins } = await p.ask('plugins');
  expect(plugins.map(({ name }) => name)).toContain('sqlite');
  const { schemas } = await p.ask('plugin', { params: { plugin: 'file' } });
  expect(Object.keys(schemas).sort()).toEqual(['sink', 'source']);
  expect(await p.refused('plugin', { params: { plugin: '../../x' } })).toMatchObject({ status: 404 });
});

test('the description of the API names every endpoint, with the schemas that validate it', async () => {
  const p = await shop();
  const description = (await (await p.request('/api/openapi.json')).json()) as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; requestBody?: unknown }>>;
  };
  expect(description.openapi).toBe('3.1.1');
  const operations = Object.values(description.paths).flatMap((path) => Object.values(path));
  expect(operations.map(({ operationId }) => operationId).sort()).toEqual(
    ['changes', ...Object.keys(endpoints)].sort(),
  );
  expect(operations.find(({ operationId }) => operationId === 'run')!.requestBody).toMatchObject({
    content: { 'application/json': { schema: endpoints.run.body } },
  });
  const page = await (await p.request('/api/reference')).text();
  for (const { path } of Object.values(endpoints)) expect(page).toContain(path);
  expect(page).not.toContain('<script');
});
