// What the playground writes: tests, code, manifests, and dead letters to their sinks. What it wrote is run in a shell.

import { appendFileSync, chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ChangedOnDisk, replaceTexts } from '../../playground/server/files.ts';
import { sluice, startSluice } from '../cli.ts';
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

describe('tests', { timeout: 180_000 }, () => {
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

describe('files', { timeout: 180_000 }, () => {
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

    const [, shout] = (await p.ask('session')).transformations;
    p.write('sluice.yaml', SHOP['sluice.yaml'].replace('$uppercase', '$lowercase'));
    const inline = await p.refused('saveTransform', {
      params: { transform: 'shout' },
      body: { source: '$', base: shout!.hash },
    });
    expect(inline.disk!.source).toBe('$merge([$, { "status": $lowercase(status) }])\n');
    expect(p.read('sluice.yaml')).toContain('$lowercase');

    p.write('sluice.yaml', `${SHOP['sluice.yaml'].replace('$uppercase', '$length')}nonsense: 1\n`);
    const broken = { params: { transform: 'shout' }, body: { source: '$', base: inline.disk!.hash } };
    expect((await p.refused('saveTransform', broken)).error.fix).toContain('mend the manifest');
    expect(p.read('sluice.yaml')).toContain('$length');
  });

  test('a file that is read-only stays as it is', async () => {
    const p = await shop();
    const [mask] = (await p.ask('session')).transformations;
    chmodSync(join(p.folder, 'mask.js'), 0o444);
    const told = await p.refused('saveTransform', {
      params: { transform: 'mask' },
      body: { source: 'export default () => null;', base: mask!.hash },
    });
    expect(told.error).toMatchObject({ code: 'E_MANIFEST_FILE', message: 'the file cannot be written (EACCES)' });
    expect(p.read('mask.js')).toBe(SHOP['mask.js']);
    expect(readdirSync(p.folder).filter((name) => name.endsWith('.sluice-new'))).toEqual([]);
  });

  test('of changes that are saved at once from one state, one is written and the others are told', async () => {
    const p = await shop();
    const session = await p.ask('session');
    for (const { id, hash } of session.transformations) {
      const sources = [1, 2, 3].map((n) =>
        id === 'mask' ? `export default () => ({ n: ${n} });\n` : `{ "n": ${n} }\n`,
      );
      const answers = await Promise.all(
        sources.map((source) => p.send('saveTransform', { params: { transform: id }, body: { source, base: hash } })),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
      const written = sources[answers.findIndex(({ status }) => status === 200)]!;
      expect((await p.ask('session')).transformations.find((one) => one.id === id)!.source).toBe(written);
    }

    const chains = [4, 5, 6].map((n) => [
      { id: 'mask', source: `export default () => ({ n: ${n} });\n` },
      { id: 'shout', source: `{ "n": ${n} }\n` },
    ]);
    const { hash: base } = await p.ask('preview', { body: { stream: 'shop', steps: chains[0] } });
    const answers = await Promise.all(
      chains.map((steps) => p.send('writeManifest', { body: { stream: 'shop', steps, base } })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
    const written = chains[answers.findIndex(({ status }) => status === 200)]!;
    const { transformations } = await p.ask('session');
    expect(transformations.map(({ source }) => source)).toEqual(written.map(({ source }) => source));
  });

  test('tests that are saved at once are all kept', async () => {
    const p = await shop();
    const names = Array.from({ length: 8 }, (_, n) => `test ${n}`);
    const event = { text: '{"id":1,"items":[]}' };
    await Promise.all(names.map((name) => p.ask('saveTest', { body: { transform: 'mask', name, event } })));
    const { tests } = await p.ask('tests', { query: { transform: 'mask' } });
    expect(tests.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });

  test('a chain is not half written: where one of its files has changed meanwhile, the others stay too', async () => {
    const p = await shop();
    const files = ['mask.js', 'sluice.yaml'].map((name) => join(p.folder, name));
    const [code, manifest] = files.map((path) => ({ path, before: readFileSync(path, 'utf8'), after: '# new\n' }));
    appendFileSync(manifest!.path, '# of somebody else\n');
    await expect(replaceTexts([code!, manifest!])).rejects.toThrow(ChangedOnDisk);
    expect(p.read('mask.js')).toBe(code!.before);
    expect(p.read('sluice.yaml')).toBe(`${manifest!.before}# of somebody else\n`);
    expect(readdirSync(p.folder).filter((name) => name.endsWith('.sluice-new'))).toEqual([]);
  });

  test.each([
    ['a file', 'mask.js', SHOP['mask.js']],
    ['a file that is not there yet', 'new.js', null],
  ])('of two that write %s at the same moment one does, and the other hears of it', async (_, name, before) => {
    const p = await shop();
    const path = join(p.folder, name);
    const texts = ['// one\n', '// two\n', '// three\n'];
    const ended = await Promise.allSettled(texts.map((after) => replaceTexts([{ path, before, after }])));
    const written = texts.filter((_, i) => ended[i]!.status === 'fulfilled');
    expect(written).toEqual([p.read(name)]);
    for (const one of ended) if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(ChangedOnDisk);
    expect(readdirSync(p.folder).filter((file) => file.includes('.sluice-new'))).toEqual([]);
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

describe('a dead letter', { timeout: 180_000 }, () => {
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

  test('of a stream that runs is replayed by its process, which goes on', async () => {
    const yaml = SHOP['sluice.yaml'].replace(
      '{ type: sample, events: 12 }',
      '{ type: file, path: ./in.ndjson, follow: true }',
    );
    const line = (id: number, items: unknown): string => `${JSON.stringify({ id, status: 'new', items })}\n`;
    const p = await shop({ 'sluice.yaml': yaml, 'in.ndjson': line(1, 'none') + line(2, []) });
    const running = startSluice(['run', join(p.folder, 'sluice.yaml')], { cwd: p.folder });
    try {
      const letters = () => p.ask('deadLetters', { query: { status: 'pending' } });
      await expect.poll(async () => (await letters()).total, { timeout: 30_000 }).toBe(1);
      const [letter] = (await letters()).dead_letters;
      p.write('mask.js', 'export default (row) => ({ ...row, items: [] });\n');
      const { replay, dead_letter } = await p.ask('replay', { params: { letter: letter!.id } });
      expect(replay.outcome).toBe('delivered');
      expect(dead_letter.status).toBe('resolved');
      appendFileSync(join(p.folder, 'in.ndjson'), line(3, []));
      await expect.poll(() => p.read('out.ndjson'), { timeout: 30_000 }).toContain('"id":3');
      expect(p.read('out.ndjson')).toContain('"id":1');
    } finally {
      await running.kill('SIGTERM');
    }
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
