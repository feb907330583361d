// Dead letters as they may leave the machine: on a screen, in a pipe, in a ticket. The store keeps the event as it came, or it
// could not be tried again; what is shown of it passes redaction, and `--raw` is the word for all of it.
// Guarantee: what was taken out of the event is nowhere in the rest of the letter either (its key, its input, the message).

import type { ReplayResult } from '../engine/replay.ts';
import type { ErrorData } from '../errors.ts';
import type { DeadLetter } from '../state/store.ts';
import type { Json } from '../values.ts';
import type { Redaction } from './redaction.ts';

const UNREAD = '(not shown: it cannot be read, so it cannot be redacted; --raw shows it)';

export function redactedLetter(letter: DeadLetter, redaction: Redaction): DeadLetter {
  const input = letter.input === null ? null : (redaction.event(letter.input) ?? UNREAD);
  const keys = letter.keys?.map((key) => keyOf(key, letter.table, redaction)) ?? null;
  const texts = [...textsOf(letter.error), input ?? '', ...(keys ?? [])];
  const found = beside(letter.event, texts, redaction);
  if (found === null) {
    const event = redaction.unreadable(letter.event) ?? UNREAD;
    return { ...letter, event, input, keys, error: errorWith(letter.error, textsOf(letter.error).map(redaction.text)) };
  }
  return {
    ...letter,
    ...idsOf(letter, found.id),
    event: found.event,
    input: input === null ? null : found.texts[2]!,
    keys: keys === null ? null : found.texts.slice(3),
    error: errorWith(letter.error, found.texts),
  };
}

/** `event`: that of its letter, for a result that does not hold it. */
export function redactedReplay(result: ReplayResult, redaction: Redaction, event: string | null): ReplayResult {
  const { message = '', error } = result;
  const after = result.after.map((text) => redaction.event(text) ?? UNREAD);
  const errors = error === undefined ? [] : textsOf(error);
  const texts = [message, ...errors, ...after];
  const about = result.before ?? event;
  const found = about === null ? null : beside(about, texts, redaction);
  const shown = found?.texts ?? texts.map(redaction.text);
  return {
    ...result,
    ...(found === null
      ? {}
      : { event_id: idsOf({ event_id: result.event_id, source_event_id: '' }, found.id).event_id }),
    ...(result.message === undefined ? {} : { message: shown[0]! }),
    ...(error === undefined ? {} : { error: errorWith(error, shown.slice(1)) }),
    before: result.before === null ? null : (found?.event ?? UNREAD),
    after: after.map((_, i) => shown[1 + errors.length + i]!),
  };
}

/** An event and texts that tell of it, redacted as one. */
function beside(
  event: string,
  texts: readonly string[],
  redaction: Redaction,
): { readonly event: string; readonly texts: readonly string[]; readonly id: Changed } | null {
  const end = event.trimEnd();
  if (!end.startsWith('{') || !end.endsWith('}')) return null;
  const text = redaction.event(`${end.slice(0, -1)},"$texts":${JSON.stringify(texts)}}`);
  if (text === null) return null;
  const { $texts, ...rest } = JSON.parse(text) as {
    readonly $texts: string[];
    readonly [name: string]: Json | undefined;
  };
  // The numbers of the text, once parsed, may not be what they were: only what is taken away is cut out of it.
  const tail = `,"$texts":${JSON.stringify($texts)}}`;
  const shown = text.endsWith(tail) ? `${text.slice(0, -tail.length)}}` : JSON.stringify(rest);
  const was = (JSON.parse(event) as { readonly id?: string }).id ?? '';
  return { event: shown, texts: $texts, id: { was, is: String(rest['id'] ?? '') } };
}

interface Changed {
  readonly was: string;
  readonly is: string;
}

// An id that tells of the key stands in the letter too, with `/i` behind it for an output.
function idsOf(
  letter: Pick<DeadLetter, 'event_id' | 'source_event_id'>,
  { was, is }: Changed,
): Pick<DeadLetter, 'event_id' | 'source_event_id'> {
  const shown = (id: string): string =>
    was !== is && was !== '' && id.startsWith(was) ? is + id.slice(was.length) : id;
  return { event_id: shown(letter.event_id), source_event_id: shown(letter.source_event_id) };
}

function keyOf(key: string, table: string, redaction: Redaction): string {
  const text = redaction.event(`{"id":"","source":{"table":${JSON.stringify(table)}},"key":${key}}`);
  return text === null ? UNREAD : JSON.stringify((JSON.parse(text) as { readonly key: Json }).key);
}

function textsOf(error: ErrorData): string[] {
  return [error.message, error.cause?.message ?? ''];
}

function errorWith(error: ErrorData, [message, cause]: readonly string[]): ErrorData {
  return {
    ...error,
    message: message!,
    ...(error.cause === undefined ? {} : { cause: { ...error.cause, message: cause! } }),
  };
}
