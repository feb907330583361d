// The events of the list, and what is shown of one: made of what the server gave, or of pasted text.

import type { PlaygroundEvent } from '../server/api.ts';
import { layOut, parsedObject, rowOf } from './json-text.ts';
import { type Item, type State, stepOf } from './state.ts';

/** The output of the selected event as it is shown: rows, or whole events. */
export function shownOutput(state: State): string {
  const result = state.selected === null ? undefined : state.run.results.get(state.selected);
  return shown(result?.outputs ?? [], state.whole || stepOf(state)?.scope === 'event');
}

/** Several one below the other, as a list. */
export function shown(envelopes: readonly string[], whole: boolean): string {
  const texts = envelopes.map(whole ? layOut : rowOf);
  return texts.length < 2 ? (texts[0] ?? '') : layOut(`[${texts.join(',')}]`);
}

export function itemOf(event: PlaygroundEvent): Item {
  const { ref, origin, op, table, key, text, pinned, letter } = event;
  return { ref, given: { ref }, origin, op, table, key: key ?? '', text, pinned, letter: letter ?? null };
}

let pastedCount = 0;

export function pastedItem(text: string): Item {
  const value = parsedObject(text) ?? {};
  const source =
    typeof value['source'] === 'object' && value['source'] !== null ? (value['source'] as Record<string, unknown>) : {};
  const op = typeof value['op'] === 'string' ? value['op'] : 'c';
  const key = value['key'] ?? ('id' in value ? { id: value['id'] } : null);
  pastedCount++;
  return {
    ref: `pasted-${pastedCount}`,
    given: { text },
    origin: 'pasted',
    op,
    table: typeof source['table'] === 'string' ? source['table'] : 'pasted',
    key: key === null ? '' : JSON.stringify(key),
    text,
    pinned: false,
    letter: null,
  };
}

/** `{"id":41}` is shown as `41`, a key of several columns with its names. */
export function keyText(key: string): string {
  const members = key.replace(/^\{|\}$/g, '');
  return members.includes(',') ? members : members.replace(/^"[^"]*":\s*/, '').replace(/^"|"$/g, '');
}

/** `u orders 41`: how an event is called in a line of text. */
export function nameOf(item: Item): string {
  return `${item.op} ${item.table} ${keyText(item.key)}`.trimEnd();
}
