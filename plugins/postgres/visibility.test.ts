// Which transactions a snapshot sees, also where their ids begin anew.

import { expect, test } from 'vitest';
import { lsnOf, lsnText, reachable } from './lsn.ts';
import { leftAt } from './start.ts';
import { fullXid, sees, visibilityOf } from './visibility.ts';

test('a snapshot sees what was over when it was taken', () => {
  const visible = visibilityOf('100:105:101,103');
  const seen = [99n, 100n, 101n, 102n, 103n, 104n, 105n, 106n].filter((xid) => sees(visible, xid));
  expect(seen).toEqual([99n, 100n, 102n, 104n]);
  expect(sees(visibilityOf('7:7:'), 6n)).toBe(true);
  expect(() => visibilityOf('7:7')).toThrow(RangeError);
});

test('32 bits of a transaction id are completed to the nearest one', () => {
  const near = 3n * 2n ** 32n + 10n;
  expect(fullXid(12, near)).toBe(near + 2n);
  expect(fullXid(2 ** 32 - 1, near)).toBe(near - 11n);
  expect(fullXid(10, near)).toBe(near);
  expect(fullXid(750, 751n)).toBe(750n);
});

test('places in the log are read and written, and an insert position after a page header is reached before it', () => {
  for (const text of ['0/0', '16/B374D848', 'FFFFFFFF/FFFFFFFF']) expect(lsnText(lsnOf(text))).toBe(text);
  expect(() => lsnOf('16')).toThrow(RangeError);
  expect(reachable(8192n * 7n + 24n)).toBe(8192n * 7n);
  expect(reachable(8192n * 7n + 40n)).toBe(8192n * 7n);
  expect(reachable(8192n * 7n + 48n)).toBe(8192n * 7n + 48n);
});

test('the history of timelines says where each was left', () => {
  const history = '1\t0/3000158\tno recovery target specified\n\n2\t0/5000000\tbefore 2024-01-01\n';
  expect(leftAt(history, 1)).toBe(0x3000158n);
  expect(leftAt(history, 2)).toBe(0x5000000n);
  expect(leftAt(history, 3)).toBeNull();
});
