// Dead letters for the page: shown redacted, tried with drafts in place of files, replayed with the files on disk, settled.
// The same code as `sluice dead-letters`; a stream that runs meanwhile is left a request and takes it between two batches.

import { type Logger, sluiceError } from 'sluice/sdk';
import {
  type DeadLetter,
  type ErrorData,
  type Languages,
  openChain,
  openSlots,
  type ReplayResult,
  redactedLetter,
  redactedReplay,
  type StateStore,
  type StreamConfig,
  tryLetter,
} from '../../core/workbench.ts';
import type { PlaygroundError, PlaygroundLetter, PlaygroundReplay, PlaygroundStep, Query, Response } from './api.ts';
import { type EventBook, redactionFor } from './event-book.ts';
import { rulesOf } from './rules.ts';
import type { Workbook } from './workbook.ts';

/** Carries out a replay: by the process that runs the stream, or here. Given by the command line, which knows how. */
export type Replay = (
  stream: StreamConfig,
  letter: number,
  force: boolean,
  signal: AbortSignal,
) => Promise<ReplayResult | null>;

export interface LetterParts {
  readonly workbook: Workbook;
  readonly store: StateStore;
  readonly languages: Languages;
  readonly log: Logger;
  readonly events: EventBook;
  readonly replay: Replay;
  shown(error: ErrorData): ErrorData;
}

export interface Letters {
  list(query: Query<'deadLetters'>): Promise<Response<'deadLetters'>>;
  /** @throws SluiceError E_DEAD_LETTER_NOT_FOUND */
  one(id: number): Promise<PlaygroundLetter>;
  dryRun(id: number, steps: readonly PlaygroundStep[] | undefined, signal: AbortSignal): Promise<PlaygroundReplay>;
  replay(id: number, force: boolean, signal: AbortSignal): Promise<PlaygroundReplay>;
  settle(id: number, status: 'resolved' | 'ignored', note: string | undefined): Promise<PlaygroundLetter>;
}

export function lettersOf({ workbook, store, languages, log, events, replay, shown }: LetterParts): Letters {
  const find = async (id: number): Promise<{ readonly letter: DeadLetter; readonly stream: StreamConfig }> => {
    const [letter] = await store.listDeadLetters({ ids: [id] });
    // letters of streams that are not in this manifest are none of its business, nor is it known what of them is secret
    const stream = workbook.book.manifest.streams.find((one) => one.id === letter?.stream);
    if (letter !== undefined && stream !== undefined) return { letter, stream };
    throw sluiceError('E_DEAD_LETTER_NOT_FOUND', { message: `there is no dead letter ${id}` });
  };

  const letterOf = (letter: DeadLetter, stream: StreamConfig): PlaygroundLetter => {
    const redacted = redactedLetter(letter, redactionFor(stream, store));
    const { id, status, place, event_id, table, error, attempts, failed_at, event, input, note, transform } = redacted;
    const own = events.ofLetter(letter, redacted);
    return {
      id,
      stream: stream.id,
      status,
      place,
      event_id,
      table,
      error: shown(error) as PlaygroundError,
      attempts,
      failed_at,
      event,
      ...(note === null ? {} : { note }),
      ...(input === null ? {} : { input }),
      ...(own === null ? {} : { ref: own.ref }),
      ...(transform === null ? {} : { transform: transform.id }),
    };
  };

  const resultOf = (result: ReplayResult, letter: DeadLetter, stream: StreamConfig): PlaygroundReplay => {
    const redaction = redactionFor(stream, store);
    const { error, before, ...rest } = redactedReplay(result, redaction, letter.event);
    const told = error === undefined ? null : (shown(error) as PlaygroundError);
    return {
      ...rest,
      ...(told === null ? {} : { error: told, message: told.message }),
      ...(before === null ? {} : { before }),
    };
  };

  return {
    async list({ after, limit, stream, ...filter }) {
      const ids = workbook.book.manifest.streams
        .map((one) => one.id)
        .filter((id) => stream === undefined || id === stream);
      const found: PlaygroundLetter[] = [];
      let total = 0;
      for (const id of ids) {
        const config = workbook.stream(id);
        total += await store.countDeadLetters({ ...filter, stream: id });
        const page = await store.listDeadLetters({ ...filter, stream: id, after, limit });
        found.push(...page.map((letter) => letterOf(letter, config)));
      }
      return { dead_letters: found.sort((a, b) => a.id - b.id).slice(0, limit), total };
    },
    async one(id) {
      const { letter, stream } = await find(id);
      return letterOf(letter, stream);
    },
    async dryRun(id, steps, signal) {
      const { letter, stream } = await find(id);
      const config = await workbook.forRunning(stream.id);
      const transformations = await rulesOf(workbook, stream, steps);
      const opening = { config: { ...config, transformations }, store, languages, log, signal };
      const slots = await openSlots(opening); // only asked what kind of rows they take; nothing connects before a write
      try {
        const chain = await openChain(opening, slots);
        try {
          const { result } = await tryLetter(letter, { chain, slots, force: true, signal });
          return resultOf(result, letter, stream);
        } finally {
          for (const step of chain.steps) await step.transform[Symbol.asyncDispose]();
        }
      } finally {
        for (const slot of slots) await slot.sink[Symbol.asyncDispose]();
      }
    },
    async replay(id, force, signal) {
      const { letter, stream } = await find(id);
      const result = await replay(await workbook.forRunning(stream.id), id, force, signal);
      if (result === null) {
        throw sluiceError('E_REQUEST_FAILED', {
          message: 'it was replayed, and the process that did it ended before it could say what became of it',
          fix: 'look at its status',
        });
      }
      return resultOf(result, letter, stream);
    },
    async settle(id, status, note) {
      const { letter, stream } = await find(id);
      if (letter.status !== 'pending') {
        throw sluiceError('E_PLAYGROUND_CONFLICT', { message: `the dead letter is ${letter.status} already` });
      }
      await store.write({ marks: [{ status, ids: [id], ...(note === undefined ? {} : { note }) }] });
      const [now] = await store.listDeadLetters({ ids: [id] });
      return letterOf(now!, stream);
    },
  };
}
