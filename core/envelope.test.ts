// Change events as text: what is taken apart, and what is none.

import { expect, test } from 'vitest';
import { splitEnvelope } from './envelope.ts';

const text = (id: string): string => `{"id":"${id}","op":"c","after":{"n":1},"source":{"table":"t"}}`;

test('an id is any text that is well-formed Unicode', () => {
  expect(splitEnvelope(text('ü😀\\ud83d\\ude00')).id).toBe('ü😀😀');
});

// Stored as UTF-8, \ud800 and \ud801 become one: the dead letter of the one would take the place of the other's.
test.each(['\\ud800', 'a\\udc00', ''])('the id "%s" is none', (id) => {
  expect(() => splitEnvelope(text(id))).toThrow(expect.objectContaining({ code: 'E_EVENT_SHAPE' }));
});
