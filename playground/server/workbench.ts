// What the playground works on while it is open: the manifest, its events, dead letters and tests, and what is told to the
// tabs. Knows nothing of HTTP; handlers.ts says what each request does with it.
// Guarantee: whoever closes it ends its captures, watchers and loaded transforms. The state store and the languages are given
// to it and stay with whoever gave them.

import {
  type ErrorData,
  type Languages,
  type Log,
  openSteps,
  type Registry,
  type StateStore,
} from '../../core/workbench.ts';
import type { Change } from './api.ts';
import { type Captures, capturesOf } from './capture.ts';
import { type Changes, openChanges } from './changes.ts';
import { type EventBook, openEventBook } from './event-book.ts';
import { hashOf } from './files.ts';
import { type Gate, openGate } from './gate.ts';
import { leased } from './leases.ts';
import { type Letters, lettersOf, type Replay } from './letters.ts';
import { rulesOf } from './rules.ts';
import type { SampleProject } from './sample.ts';
import { watching } from './watch.ts';
import { codeFileOf, isEditable, isInline, openWorkbook, type Workbook } from './workbook.ts';

export interface WorkbenchParts {
  /** Absolute path of the manifest. */
  readonly file: string;
  /** Where that manifest is the sample shop. */
  readonly sample: SampleProject | null;
  readonly version: string;
  readonly registry: Registry;
  readonly languages: Languages;
  readonly log: Log;
  readonly store: StateStore;
  readonly replay: Replay;
}

export interface Workbench extends AsyncDisposable {
  readonly parts: WorkbenchParts;
  readonly workbook: Workbook;
  readonly events: EventBook;
  readonly letters: Letters;
  readonly captures: Captures;
  readonly changes: Changes;
  /** What keeps the work that is done at one time within bounds. */
  readonly gate: Gate;
  /** One at a time: whatever reads files and then writes them. */
  readonly writes: Gate;
  /** Those whose loaded transforms are kept from one run to the next. */
  readonly languages: Languages;
  /** Errors and findings as they may be shown: no secret of the manifest is in them. */
  shown<E extends ErrorData>(error: E): E;
  /** What is on disk, as a tab is told. */
  files(): Change;
  /** Reads again what is on disk, and tells the tabs if it is not what it was. */
  refresh(): Promise<void>;
}

/** @throws SluiceError of the manifest's first error */
export async function openWorkbench(parts: WorkbenchParts): Promise<Workbench> {
  const { file, registry, log, store } = parts;
  const workbook = await openWorkbook({ file, registry, languages: parts.languages, log });
  const changes = openChanges();
  const pool = leased(parts.languages);
  const { languages } = pool;
  const events = openEventBook(store, () => workbook.book.manifest.streams);
  const shown = <E extends ErrorData>(error: E): E => log.mask.value(error) as E;
  const letters = lettersOf({ workbook, store, languages, log, events, replay: parts.replay, shown });
  const captures = capturesOf({ store, log, events, changes, shown });

  const files = (): Change => {
    const { hash, valid, manifest } = workbook.book;
    const transforms = Object.fromEntries(manifest.transformations.map(({ id, source }) => [id, hashOf(source)]));
    return { name: 'files', data: { manifest: hash, transforms, valid } };
  };
  let reading: Promise<void> = Promise.resolve();
  const refresh = (): Promise<void> => {
    reading = reading.then(async () => {
      const changed = await workbook.reload().catch((error: unknown) => {
        log.warn({ error }, 'what changed on disk could not be read');
        return false;
      });
      if (!changed) return;
      look();
      changes.tell(files());
    });
    return reading;
  };
  const watched = watching(() => void refresh());
  const look = (): void => {
    const { manifest } = workbook.book;
    const code = manifest.transformations.filter((rule) => isEditable(rule) && !isInline(rule)).map(codeFileOf);
    watched.look([file, ...code]);
  };
  look();

  // The sandbox starts and the first chain is loaded while the browser is: its first run then need not wait for them.
  const warm = async (): Promise<void> => {
    const [stream] = workbook.book.manifest.streams;
    if (stream === undefined) return;
    const { signal } = new AbortController();
    const rules = await rulesOf(workbook, stream, undefined);
    await using _chain = await openSteps(rules, stream, { languages, log, signal });
  };
  const warming = warm().catch(() => undefined); // what does not load is told by the run that needs it

  if (parts.sample !== null) {
    const [stream] = workbook.book.manifest.streams;
    await captures.done(captures.begin(stream!, { max: 12, seconds: 5 }));
  }
  return {
    parts,
    workbook,
    events,
    letters,
    captures,
    changes,
    gate: openGate(),
    writes: openGate(1),
    languages,
    shown,
    files,
    refresh,
    async [Symbol.asyncDispose]() {
      watched[Symbol.dispose]();
      changes[Symbol.dispose]();
      await captures[Symbol.asyncDispose]();
      await reading;
      await warming;
      await pool[Symbol.asyncDispose]();
    },
  };
}
