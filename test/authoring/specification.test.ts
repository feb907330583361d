// A Kazaam specification that is written in the manifest itself: its errors stand at the author's own lines and columns.

import { expect, it } from 'vitest';
import { load } from '../../core/manifest/plugins-for-tests.ts';
import { createLanguages } from '../../transforms/index.ts';

it.each([
  ['a list', 6, ['    specification:', '      - operation: pass', '      - operation: none'], '9:9'],
  [
    'a list of flow maps',
    6,
    ['    specification:', '      - { operation: pass }', '      - { operation: none, spec: {} }'],
    '9:9',
  ],
  [
    'a list with comments',
    6,
    [
      '    specification:',
      '      # the first',
      '      - operation: pass',
      '',
      '      # and',
      '      - operation: none',
    ],
    '12:9',
  ],
  [
    'an object',
    6,
    [
      '    specification:',
      '      spec:',
      '        - operation: pass',
      '        - operation: none',
      '      extensions: [steps]',
    ],
    '10:11',
  ],
])(
  'an error in a specification that is %s of the manifest has its line and column',
  async (_what, _at, lines, place) => {
    await using languages = createLanguages();
    const text = [
      'version: 1',
      'streams:',
      '  - { id: s, source: { type: file, path: a }, transformations: [slim], sinks: [{ id: o, type: file, path: b }] }',
      'transformations:',
      '  - id: slim',
      '    type: kazaam',
      ...lines,
      '',
    ].join('\n');
    const { findings } = await load(text, { languages });
    expect(findings).toMatchObject([
      { code: 'E_TRANSFORM_SYNTAX', at: { pointer: '/transformations/0/specification' } },
    ]);
    expect(`${findings[0]!.at!.line}:${findings[0]!.at!.column}`).toBe(place);
  },
);
