// The key that a sink writes by: of the row's own columns, whatever they are called.

import { expect, test } from 'vitest';
import { batchOf } from './batch.ts';
import type { ChangeEvent } from './event.ts';
import { sinkKey } from './sink-key.ts';
import type { Row } from './values.ts';

const rowOf = (text: string): Row => JSON.parse(text) as Row;

function batchWith(key: Row | null, after: Row, before: Row | null = null) {
  const event: ChangeEvent = {
    id: '1',
    op: before === null ? 'c' : 'u',
    key,
    before,
    after,
    ts_ms: 0,
    source: { plugin: 'p', stream: 's', db: 'd', schema: 'd', table: 't', snapshot: false, ts_ms: 0 },
  };
  return batchOf([event]);
}

test('a key column may be named like what every object has', () => {
  const row = rowOf('{"__proto__": "a", "constructor": 1}');
  for (const spec of [['__proto__', 'constructor'], undefined] as const) {
    const found = sinkKey(batchWith(row, row), 0, spec) as { key: Row };
    expect(JSON.stringify(found.key)).toBe('{"__proto__":"a","constructor":1}');
  }
  const renamed = rowOf('{"__proto__": "constructor"}') as Readonly<Record<string, string>>;
  const found = sinkKey(batchWith(row, row), 0, renamed) as { key: Row };
  expect(JSON.stringify(found.key)).toBe('{"__proto__":1}');
});

test('a key column that a transform dropped is missed, also where every object has something of that name', () => {
  const found = sinkKey(batchWith(rowOf('{"__proto__": null}'), rowOf('{"n": 1}')), 0, undefined);
  expect(found).not.toBeInstanceOf(Error); // a key that is null, and a column that is not there
  expect(sinkKey(batchWith(rowOf('{"__proto__": {}}'), rowOf('{"n": 1}')), 0, undefined)).toMatchObject({
    code: 'E_SINK_KEY',
  });
  expect(sinkKey(batchWith(null, rowOf('{"n": 1}')), 0, ['__proto__'])).toMatchObject({ code: 'E_SINK_KEY' });
});

test('a change of such a key moves the row', () => {
  const found = sinkKey(batchWith(null, rowOf('{"__proto__": 2}'), rowOf('{"__proto__": 1}')), 0, ['__proto__']);
  expect(JSON.stringify(found)).toBe('{"key":{"__proto__":2},"oldKey":{"__proto__":1}}');
});
