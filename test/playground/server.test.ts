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

describe('a run', () => {
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
    for (const { ms } of results) expect(ms).toBeGreaterThan(0);
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

  test('says what each event took in the sandbox: time, and memory', async () => {
    const p = await shop();
    const source = `export default (row) => {
      const until = row.big ? 300_000 : 10;
      const all = [];
      for (let i = 0; i < until; i++) all.push({ i });
      return { n: all.length };
    };`;
    const steps = [{ id: 'x', type: 'javascript', source }];
    const events = [{ text: '{"big":false}' }, { text: '{"big":true}' }, { text: '{"big":false}' }];
    const { results } = await p.ask('run', { body: { tab: 'a', stream: 'shop', steps, events } });
    const [small, big] = results;
    expect(big!.ms!).toBeGreaterThan(small!.ms!);
    expect(small!.memory!).toBeGreaterThan(0);
    expect(small!.memory!).toBeLessThan(1 << 20);
    expect(big!.memory ?? Number.POSITIVE_INFINITY).toBeGreaterThan(4 << 20);
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

describe('tests', () => {
  test('an event saved as a test passes in a shell, and fails there once the code is another', async () => {
    const p = await shop();
    const order = (await captured(p)).find(({ op, table }) => op === 'c' && table === 'orders')!;
    const saved = await p.ask('saveTest', {
      body: { transform: 'mask', name: 'counts pieces', event: { ref: order.ref } },
    });
    expect(saved.file).toMatch(/mask\.tests\.yaml$/);
    const again = { transform: 'mask', name: 'counts pieces', event: { ref: order.ref } };
    expect((await p.refused('saveTest', { body: again })).error).toMatchObject({ code: 'E_TEST_INVALID' });
    const poison = { transform: 'mask', name: 'fails on a text', event: { text: '{"id":1,"items":"x"}' } };
    await p.ask('saveTest', { body: poison });
    await p.ask('saveTest', { body: { transform: 'shout', name: 'shouts', event: { text: '{"status":"a"}' } } });
    expect(p.read('shout.tests.yaml')).toContain('status: A');

    const listed = await p.ask('tests', { query: { transform: 'mask' } });
    expect(listed.tests.map(({ name }) => name)).toEqual(['counts pieces', 'fails on a text']);
    expect(listed.tests[0]!.line).toBe(saved.line);

    expect(await sluice(['test', p.folder], { cwd: p.folder })).toMatchObject({ code: 0 });
    expect(await p.ask('runTests', { body: { transform: 'mask' } })).toMatchObject({ passed: 2, failed: 0 });
    const step = { id: 'mask', source: 'export default (row) => row;' };
    const draft = await p.ask('runTests', { body: { transform: 'mask', step } });
    expect(draft).toMatchObject({ passed: 0, failed: 2 });
    expect(draft.results[0]!.differences.join()).toContain('pieces');
    p.write('mask.js', step.source);
    expect(await sluice(['test', p.folder], { cwd: p.folder })).toMatchObject({ code: 1 });
  });

  test('comments of a test file stay when one is added', async () => {
    const p = await shop({
      'mask.tests.yaml': `# mine
tests:
  # the first
  - name: passes on a customer
    row: { id: 1, items: [] } # flat
    expect: { row: { pieces: 0 } }
`,
    });
    await p.ask('saveTest', { body: { transform: 'mask', name: 'two', event: { text: '{"id":2,"items":[]}' } } });
    const text = p.read('mask.tests.yaml');
    for (const comment of ['# mine', '# the first', '# flat']) expect(text).toContain(comment);
    expect((await p.ask('tests', { query: { transform: 'mask' } })).tests).toHaveLength(2);
  });
});

describe('files', () => {
  test('code is saved to its file or to its place in the manifest, and all else there stays as it was written', async () => {
    const p = await shop();
    const { transformations } = await p.ask('session');
    const [mask, shout] = transformations;
    const saved = await p.ask('saveTransform', {
      params: { transform: 'mask' },
      body: { source: 'export default (row) => row;\n', base: mask!.hash },
    });
    expect(p.read('mask.js')).toBe('export default (row) => row;\n');
    const source = '(\n  $x := status;\n  $merge([$, { "status": $x }])\n)\n';
    await p.ask('saveTransform', { params: { transform: 'shout' }, body: { source, base: shout!.hash } });
    const expected = SHOP['sluice.yaml'].replace(
      '      $merge([$, { "status": $uppercase(status) }])\n',
      source.replaceAll(/^(?=.)/gm, '      '),
    );
    expect(p.read('sluice.yaml')).toBe(expected);
    const now = (await p.ask('session')).transformations;
    expect(now[0]!.hash).toBe(saved.hash);
    expect(now[1]!.source).toBe(source);
  });

  test('what changed on disk meanwhile is not written over: both versions are given', async () => {
    const p = await shop();
    const [mask] = (await p.ask('session')).transformations;
    p.write('mask.js', '// of somebody else\nexport default (row) => row;\n');
    const told = await p.refused('saveTransform', {
      params: { transform: 'mask' },
      body: { source: 'export default () => null;', base: mask!.hash },
    });
    expect(told).toMatchObject({ status: 409, error: { code: 'E_PLAYGROUND_CONFLICT' } });
    expect(told.disk!.source).toContain('somebody else');
    expect(p.read('mask.js')).toContain('somebody else');
    await p.ask('saveTransform', {
      params: { transform: 'mask' },
      body: { source: 'export default () => null;', base: told.disk!.hash },
    });
    expect(p.read('mask.js')).toBe('export default () => null;');
  });

  test('a change on disk is told to the tabs, and a manifest with errors leaves the last good one open', async () => {
    const p = await shop();
    const reader = p.bench.changes.listen(p.bench.files()).getReader();
    const next = async () => {
      const text = Buffer.from((await reader.read()).value!).toString();
      return JSON.parse(/^data: (.*)$/m.exec(text)![1]!) as { valid: boolean; transforms: Record<string, string> };
    };
    const before = await next();
    p.write('mask.js', 'export default (row) => row;\n');
    const after = await next();
    expect(after.transforms['mask']).not.toBe(before.transforms['mask']);
    p.write('sluice.yaml', `${SHOP['sluice.yaml']}nonsense: 1\n`);
    expect((await next()).valid).toBe(false);
    const session = await p.ask('session');
    expect(session.manifest.findings).toMatchObject([
      { code: 'E_MANIFEST_UNKNOWN_KEY', at: { line: SHOP['sluice.yaml'].split('\n').length } },
    ]);
    expect(session.streams).toHaveLength(1);
    p.write('sluice.yaml', SHOP['sluice.yaml']);
    expect((await next()).valid).toBe(true);
    await reader.cancel();
  });

  test('an export shows a diff, writes it on request, and what was written runs', async () => {
    const p = await shop();
    const steps = [
      {
        id: 'mask',
        source: SHOP['mask.js'].replace('row.items.reduce', '(Array.isArray(row.items) ? row.items : []).reduce'),
      },
      { id: 'tag', type: 'javascript', source: "export default (row) => ({\n  ...row,\n  tag: 'shop',\n});\n" },
      { id: 'shout' },
    ];
    const shown = await p.ask('preview', { body: { stream: 'shop', steps } });
    expect(p.read('sluice.yaml')).toBe(SHOP['sluice.yaml']); // nothing yet
    expect(shown.changed).toBe(true);
    const [manifest, mask] = shown.files;
    const changed = manifest!.diff.filter(({ kind }) => kind !== 'same').map(({ kind, text }) => `${kind} ${text}`);
    expect(changed).toEqual([
      'added   - id: tag',
      'added     type: javascript',
      'added     code: |',
      'added       export default (row) => ({',
      'added         ...row,',
      "added         tag: 'shop',",
      'added       });',
      'removed     transformations: [mask, shout]',
      'added     transformations: [mask, tag, shout]',
    ]);
    expect(mask!.diff.filter(({ kind }) => kind === 'added')).toHaveLength(1);

    await p.ask('writeManifest', { body: { stream: 'shop', steps, base: shown.hash } });
    expect(p.read('sluice.yaml')).toContain('# everything that is personal');
    const run = await sluice(['run', join(p.folder, 'sluice.yaml'), '--until-idle', '1s'], { cwd: p.folder });
    expect(run.code, run.stderr).toBe(0);
    const lines = p.read('out.ndjson').trim().split('\n');
    expect(lines.length).toBeGreaterThan(8);
    expect(lines.every((line) => line.includes('"tag":"shop"') || JSON.parse(line).op === 'd')).toBe(true);
    expect((await p.ask('preview', { body: { stream: 'shop', steps } })).changed).toBe(false);
    const late = await p.refused('writeManifest', { body: { stream: 'shop', steps, base: shown.hash } });
    expect(late).toMatchObject({ status: 409 });
  });

  test('another language takes the place of the old one, with a file of its own where that had one', async () => {
    const p = await shop();
    const steps = [
      { id: 'mask', type: 'jsonata', source: '$merge([$, { "email": null }])\n' },
      { id: 'shout', type: 'kazaam', source: '[{ "operation": "pass" }]' },
    ];
    const { hash, findings } = await p.ask('preview', { body: { stream: 'shop', steps } });
    expect(findings).toEqual([]);
    await p.ask('writeManifest', { body: { stream: 'shop', steps, base: hash } });
    expect(p.read('mask.jsonata')).toBe(steps[0]!.source);
    const { transformations } = await p.ask('session');
    expect(transformations.map(({ type, inline }) => [type, inline])).toEqual([
      ['jsonata', false],
      ['kazaam', true],
    ]);
    expect(await sluice(['validate', join(p.folder, 'sluice.yaml')], { cwd: p.folder })).toMatchObject({ code: 0 });
  });
});

describe('a dead letter', () => {
  test('is opened, fixed, tried dry, replayed and resolved, and then the sink has its event', async () => {
    const p = await shop();
    const manifest = join(p.folder, 'sluice.yaml');
    await sluice(['run', manifest, '--until-idle', '1s'], { cwd: p.folder });
    const { dead_letters, total } = await p.ask('deadLetters', { query: { stream: 'shop', status: 'pending' } });
    expect(total).toBe(1);
    const [letter] = dead_letters;
    expect(letter).toMatchObject({ event_id: '1:5', transform: 'mask', error: { at: { line: 5 } } });
    const params = { letter: letter!.id };

    const body = { tab: 'a', stream: 'shop', events: [{ ref: letter!.ref! }] };
    expect((await p.ask('run', { body })).results[0]).toMatchObject({ fate: 'failed' });
    expect((await p.ask('dryRun', { params })).replay).toMatchObject({ outcome: 'failed', code_changed: false });
    const fixed = SHOP['mask.js'].replace('row.items.reduce', '(Array.isArray(row.items) ? row.items : []).reduce');
    const steps = [{ id: 'mask', source: fixed }, { id: 'shout' }];
    const dry = (await p.ask('dryRun', { params, body: { steps } })).replay;
    expect(dry).toMatchObject({ outcome: 'would_pass', code_changed: true });
    expect(row(dry.after[0]!)['status']).toBe('NEW');
    expect((await p.ask('deadLetter', { params })).dead_letter.status).toBe('pending');
    expect(p.read('out.ndjson')).not.toContain('"1:5"');

    const [mask] = (await p.ask('session')).transformations;
    await p.ask('saveTransform', { params: { transform: 'mask' }, body: { source: fixed, base: mask!.hash } });
    const { replay, dead_letter } = await p.ask('replay', { params });
    expect(replay.outcome).toBe('delivered');
    expect(dead_letter.status).toBe('resolved');
    expect(p.read('out.ndjson')).toContain('"1:5"');
    expect((await p.ask('deadLetters', { query: { status: 'pending' } })).total).toBe(0);
  });

  test('is settled with a note, once', async () => {
    const p = await shop();
    await sluice(['run', join(p.folder, 'sluice.yaml'), '--until-idle', '1s'], { cwd: p.folder });
    const [letter] = (await p.ask('deadLetters')).dead_letters;
    const asking = { params: { letter: letter!.id }, body: { status: 'ignored', note: 'a test order' } };
    expect((await p.ask('settle', asking)).dead_letter).toMatchObject({ status: 'ignored', note: 'a test order' });
    expect(await p.refused('settle', asking)).toMatchObject({ status: 409 });
    expect(await p.refused('deadLetter', { params: { letter: 99 } })).toMatchObject({ status: 404 });
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
