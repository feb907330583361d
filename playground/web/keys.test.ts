// The table of keys: no two commands on one key, and what is pressed is what is written.

import { expect, test } from 'vitest';
import { actionOf, type KeyPress, keys, matching, shownKey } from './keys.ts';

const press = (key: string, held: Partial<KeyPress> = {}): KeyPress => ({
  key,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...held,
});

test('no two commands have one key, and no command stands twice', () => {
  const taken = keys.flatMap((one) => (one.key === undefined ? [] : [one.key]));
  expect(new Set(taken).size).toBe(taken.length);
  expect(new Set(keys.map((one) => one.action)).size).toBe(keys.length);
});

test.each(
  keys.filter((one) => one.key !== undefined).map((one) => [one.key!, one.action, one.plain ?? false] as const),
)('%s does %s', (key, action, plain) => {
  const parts = key.split('+');
  const name = parts.pop()!;
  const typed =
    name.length === 1 && parts.includes('Shift') ? name.toUpperCase() : name.length === 1 ? name.toLowerCase() : name;
  const arrow = ['Up', 'Down'].includes(name) ? `Arrow${name}` : typed;
  const held = { shiftKey: parts.includes('Shift') || name === '?', altKey: parts.includes('Alt') };
  const mod = parts.includes('Mod');
  expect(actionOf(press(arrow, { ...held, ctrlKey: mod }), false, false)).toBe(action);
  expect(actionOf(press(arrow, { ...held, metaKey: mod }), true, false)).toBe(action);
  if (plain) expect(actionOf(press(arrow, held), false, true), 'a character in an editor is a character').toBe(null);
  else expect(actionOf(press(arrow, { ...held, ctrlKey: mod }), false, true)).toBe(action);
});

test('other modifiers make another key', () => {
  expect(actionOf(press('s', { ctrlKey: true, altKey: true }), false, false)).toBe(null);
  expect(actionOf(press('s', { ctrlKey: true }), true, false)).toBe(null);
  expect(actionOf(press('s'), false, false)).toBe(null);
});

test('keys are shown as people know them', () => {
  expect(shownKey('Mod+Shift+S', true)).toBe('⌘⇧S');
  expect(shownKey('Mod+Shift+S', false)).toBe('Ctrl+Shift+S');
  expect(shownKey('Alt+Down', false)).toBe('Alt+↓');
  expect(shownKey('Alt+PageDown', true)).toBe('⌥PgDn');
});

test('the palette finds by all words, in any order', () => {
  expect(matching('test save').map((one) => one.action)).toEqual(['save-test']);
  expect(matching('')).toHaveLength(keys.length);
  expect(matching('no such thing')).toEqual([]);
});
