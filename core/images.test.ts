// What the two images of a row say together, of objects and of text alike.

import { describe, expect, test } from 'vitest';
import { batchOf } from './batch.ts';
import { changedKey, changedKeyOfText, isWholeBefore, isWholeBeforeText } from './images.ts';
import type { Row } from './values.ts';

const update = (key: Row | null, before: Row | null) => ({ op: 'u' as const, key, before });

describe('the key that an update took away', () => {
  test.each([
    ['the key of the old image, where it differs', update({ id: 2 }, { id: 1, name: 'a' }), { id: 1 }],
    ['all columns of the key, where one differs', update({ a: 1, b: 3 }, { a: 1, b: 2 }), { a: 1, b: 2 }],
    ['none where nothing differs', update({ id: 1 }, { id: 1 }), null],
    [
      'none where the order of nested members is all that differs',
      update({ k: { a: 1, b: 2 } }, { k: { b: 2, a: 1 } }),
      null,
    ],
    ['none where the old image lacks a column of the key', update({ a: 1, b: 2 }, { a: 9 }), null],
    [
      'none where a column of the key has the name of a method of every object',
      update({ constructor: 1 }, { id: 1 }),
      null,
    ],
    ['none without a key', update(null, { id: 1 }), null],
    ['none without an old image', update({ id: 1 }, null), null],
    ['none of anything but an update', { ...update({ id: 2 }, { id: 1 }), op: 'd' as const }, null],
  ])('%s', (_what, event, old) => {
    expect(changedKey(event)).toEqual(old);
    const before = event.before === null ? null : JSON.stringify(event.before);
    expect(changedKeyOfText({ ...event, before })).toEqual(old);
  });

  test('a text that is no row has no key, and nothing throws', () => {
    for (const before of ['{"id": 1', '[1]', '7']) {
      expect(changedKeyOfText({ op: 'u', key: { id: 2 }, before })).toBeNull();
      expect(isWholeBeforeText({ key: { id: 2 }, before })).toBe(false);
    }
  });
});

describe('an old image is whole', () => {
  test('when it has every column of its table', () => {
    const columns = [
      { name: 'id', type: 'int' as const },
      { name: 'name', type: 'text' as const },
    ];
    expect(isWholeBefore({ key: { id: 1 }, before: { id: 1, name: null } }, columns)).toBe(true);
    expect(isWholeBefore({ key: { id: 1 }, before: { id: 1 } }, columns)).toBe(false);
  });

  test('when it has more than the key, where nobody knows the columns', () => {
    expect(isWholeBefore({ key: { id: 1 }, before: { id: 1, name: 'a' } }, undefined)).toBe(true);
    expect(isWholeBefore({ key: { id: 1 }, before: { id: 1 } }, [])).toBe(false);
    expect(isWholeBeforeText({ key: { id: 1 }, before: '{"id":1,"constructor":2}' })).toBe(true);
    expect(isWholeBeforeText({ key: null, before: '{"id":1}' })).toBe(true);
    expect(isWholeBeforeText({ key: null, before: null })).toBe(false);
  });

  test('as a batch of objects says it', () => {
    const source = { plugin: 'p', stream: 's', db: '', table: 't', snapshot: false, ts_ms: 0 };
    const event = { id: '1', source, ts_ms: 0, after: { id: 2 }, ...update({ id: 2 }, { id: 1 }) };
    const batch = batchOf([event]);
    expect([batch.oldKey(0), batch.wholeBefore(0)]).toEqual([{ id: 1 }, false]);
  });
});
