// A manifest with one chain changed: only the lines change that must, and what comes out says what was asked for.

import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { withChain } from './edit.ts';

const TEXT = `# at the top
version:   1   # odd spaces stay
transformations:
    - {id: a, type: javascript, code: "export default (row) => row;"}   # the first

    - id: b   # the second
      type: jsonata
      expression: >-
        $merge([$,
          {}])
      constants: {x: 1}
streams:
    - id: s
      source: {type: sample}
      transformations: [a,b]
      sinks: [{id: o, type: console}]
`;

const lines = (text: string): string[] => text.split('\n');

test('without a change the text stays as it is, whatever its style', () => {
  expect(withChain(TEXT, { stream: 's', steps: [], order: ['a', 'b'] })).toBe(TEXT);
  const same = { id: 'b', type: 'jsonata', scope: 'row' };
  expect(withChain(TEXT, { stream: 's', steps: [same], order: ['a', 'b'] })).toBe(TEXT);
});

test('a new order changes one line', () => {
  const text = withChain(TEXT, { stream: 's', steps: [], order: ['b', 'a'] });
  const changed = lines(text).filter((line, i) => line !== lines(TEXT)[i]);
  expect(changed).toEqual(['      transformations: [b, a]']);
});

test('code of several lines becomes a block, and every other line stays', () => {
  const value = 'export default (row) => {\n  return row;\n};\n';
  const text = withChain(TEXT, {
    stream: 's',
    steps: [{ id: 'b', code: { key: 'expression', value } }],
    order: ['a', 'b'],
  });
  expect(parse(text).transformations[1].expression).toBe(value);
  for (const line of [
    'version:   1   # odd spaces stay',
    '    - id: b   # the second',
    '      transformations: [a,b]',
  ]) {
    expect(lines(text)).toContain(line);
  }
});

test('another language takes the settings of the old one with it', () => {
  const code = { key: 'code', value: 'export default (row) => row;' } as const;
  const text = withChain(TEXT, { stream: 's', steps: [{ id: 'b', type: 'javascript', code }], order: ['a', 'b'] });
  expect(parse(text).transformations[1]).toEqual({ id: 'b', type: 'javascript', code: code.value });
});

test('settings are written where they are not the default, and taken out where they become it', () => {
  const with_ = withChain(TEXT, {
    stream: 's',
    steps: [{ id: 'b', scope: 'event', images: 'key' }],
    order: ['a', 'b'],
  });
  expect(parse(with_).transformations[1]).toMatchObject({ scope: 'event' });
  expect(parse(with_).transformations[1]).not.toHaveProperty('images');
  const without = withChain(with_, { stream: 's', steps: [{ id: 'b', scope: 'row' }], order: ['a', 'b'] });
  expect(parse(without).transformations[1]).not.toHaveProperty('scope');
});

test('the first transformation of a manifest, and one in JSON', () => {
  const bare =
    'version: 1\nstreams:\n  - id: s # mine\n    source: { type: sample }\n    sinks: [{ id: o, type: console }]\n';
  const step = { id: 'new', type: 'jsonata', code: { key: 'expression', value: '$' } } as const;
  const text = withChain(bare, { stream: 's', steps: [step], order: ['new'] });
  expect(parse(text)).toMatchObject({
    transformations: [{ id: 'new', type: 'jsonata', expression: '$' }],
    streams: [{ id: 's', transformations: ['new'] }],
  });
  expect(text).toContain('# mine');
  const json = JSON.stringify(parse(bare), null, 2);
  const code = { key: 'code', value: 'export default (row) => {\n  return row;\n};\n' } as const;
  const changed = withChain(json, { stream: 's', steps: [{ ...step, type: 'javascript', code }], order: ['new'] });
  expect((JSON.parse(changed) as { transformations: unknown[] }).transformations).toEqual([
    { id: 'new', type: 'javascript', code: code.value },
  ]);
});

test('what is no manifest, or has no such stream, is refused', () => {
  for (const text of ['', '[]', 'a: [', 'a']) {
    expect(() => withChain(text, { stream: 's', steps: [], order: [] })).toThrow(/no YAML or JSON/);
  }
  expect(() => withChain(TEXT, { stream: 'x', steps: [], order: [] })).toThrow(/no such stream/);
});
