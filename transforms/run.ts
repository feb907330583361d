// The bridge between batches and the sandbox: which texts of an event go in, and what the answers mean for the event.
// Guarantee: every index of the input stands in exactly one of from, filtered and failed; rows are never parsed here in
// scope row. (Imports of core are types, and sluice/sdk.)

import {
  type EventBatch,
  type Lane,
  type Logger,
  type MappedRows,
  mapBatch,
  type SluiceError,
  sluiceError,
  type TransformFailure,
  type TransformResult,
  unsafeNumber,
} from 'sluice/sdk';
import type { ApplyOptions, LoadedTransform, TransformIdentity } from '../core/languages.ts';
import type { TransformRule } from '../core/manifest/model.ts';
import {
  type Answer,
  type AnswerLine,
  isLine,
  isRefused,
  type Loaded,
  type LogLine,
  type Slice,
} from '../sandbox/index.ts';
import { authorsPlace, compareHeads, errorOf, type HeadChange, type PlaceOf } from './refusals.ts';

const SLICE_EVENTS = 500;
const SLICE_LEAST = 50; // below this the crossing costs more than a second child gains
const SLICE_BYTES = 512 << 10;

export interface BridgeDetails {
  readonly rule: TransformRule;
  readonly identity: TransformIdentity;
  readonly loaded: Loaded;
  readonly children: number;
  readonly log: Logger;
  readonly place: PlaceOf;
  readonly lane: Lane | null;
  /** Numbers go through as the texts that they are, and what comes after looks at them. */
  readonly keepsNumbers: boolean;
}

/** What is done with one event. */
const PASS = 0; // passes by the function, with its key alone
const RUN = 1; // its row goes through the function
const FAIL = 2;

export function bridgeTransform(details: BridgeDetails): LoadedTransform {
  const { rule, loaded, identity } = details;
  const byEvent = rule.scope === 'event';
  const both = !byEvent && rule.images === 'both';
  let events = 0;
  let deopts = 0;

  function mainOf(batch: EventBatch, i: number): string | null {
    return !byEvent && batch.op(i) === 'd' ? batch.before(i) : batch.after(i);
  }

  function planOf(batch: EventBatch, i: number, main: string | null): number {
    if (byEvent) return RUN;
    switch (batch.op(i)) {
      case 'c':
      case 'u':
      case 'r':
        return main === null ? PASS : RUN;
      case 'd':
        return batch.wholeBefore(i) && main !== null ? RUN : PASS;
      default:
        return PASS;
    }
  }

  // Looked at before the guest parses: a number that does not survive a double is the source's failure (invariant 6).
  function inputError(batch: EventBatch, i: number, main: string | null): SluiceError | null {
    const other = !byEvent && batch.op(i) === 'd' ? batch.after(i) : batch.before(i);
    for (const text of [main, other]) {
      if (text === null) continue;
      if (text.length * 3 > rule.limits.input && Buffer.byteLength(text) > rule.limits.input) {
        return sluiceError('E_TRANSFORM_INPUT', {
          message: `the event has a row of ${Buffer.byteLength(text)} bytes, and limits.input is ${rule.limits.input}`,
          at: { file: rule.file },
        });
      }
      if (batch.typed || details.keepsNumbers) continue;
      const bad = unsafeNumber(text);
      if (bad !== null) {
        return sluiceError('E_EVENT_NUMBER', {
          message: `the row holds a number of ${bad.length} characters that does not survive a double`,
        });
      }
    }
    return null;
  }

  function sliceOf(batch: EventBatch, { indices, mains }: Plan, from: number, to: number): Writable<Slice> {
    const at = (i: number): number => indices[from + i]!;
    const second = (i: number): string | null => {
      const index = at(i);
      if (byEvent) return batch.before(index);
      if (batch.op(index) === 'd') return null;
      if (both && !(batch.op(index) === 'u' && batch.wholeBefore(index))) return null;
      return batch.before(index);
    };
    return {
      length: to - from,
      seconds: both,
      main: (i) => (mains === null ? mainOf(batch, at(i)) : mains[from + i]!),
      second,
      head(i) {
        const index = at(i);
        const head = batch.head(index);
        // an old image that the function does not run on is still a part of ctx.event
        if (!both || batch.op(index) === 'd' || second(i) !== null) return head;
        return `${head.slice(0, -1)},"before":${batch.before(index) ?? 'null'}}`;
      },
      id: (i) => batch.id(at(i)),
      time: (i) => batch.ts(at(i)),
    };
  }

  async function apply(batch: EventBatch, signal: AbortSignal, options: ApplyOptions = {}): Promise<TransformResult> {
    signal.throwIfAborted();
    const answers = new Array<Answer>(batch.length);
    const asLines = passesAsLines(batch);
    const plan = asLines ? allRun(batch) : planned(batch);
    const { plans, errors, indices } = plan;
    await Promise.all(
      slices(batch, plan).map(async ([from, to]) => {
        const slice = sliceOf(batch, plan, from, to);
        if (asLines) slice.lines = (first, end) => batch.lines!(from + first, from + end)!;
        const { fresh = false, onCost } = options;
        const found = await loaded.run(slice, { fresh, measured: onCost !== undefined, signal });
        for (const [i, cost] of found.costs ?? []) onCost?.(indices[from + i]!, cost);
        for (let i = 0; i < found.answers.length; i++) answers[indices[from + i]!] = found.answers[i]!;
        deliverLogs(batch, indices, from, found.logs, found.dropped);
        events += found.answers.length;
        deopts += found.deopts;
      }),
    );
    return assemble(batch, plans, answers, errors);
  }

  /**
   * Whether all rows run, as the lines of bytes that they are, so that no text of one is made here. What inputError looks for is
   * looked for in all of them at once; if it is there, they go one by one, so that it is found in its own row.
   */
  function passesAsLines(batch: EventBatch): boolean {
    if (byEvent || both || batch.lines === undefined || batch.bytes > rule.limits.input) return false;
    const pieces = batch.lines(0, batch.length);
    if (pieces === null || pieces.length > batch.length / 4) return false;
    if (batch.typed || details.keepsNumbers) return true;
    for (let i = 0; i < batch.length; i++) if (batch.before(i) !== null) return false;
    return pieces.every((bytes) => unsafeNumber(bytes.toString('latin1')) === null);
  }

  function allRun(batch: EventBatch): Plan {
    const indices = new Uint32Array(batch.length);
    for (let i = 0; i < indices.length; i++) indices[i] = i;
    return { plans: new Uint8Array(batch.length).fill(RUN), errors: new Map(), indices, mains: null };
  }

  function planned(batch: EventBatch): Plan {
    const plans = new Uint8Array(batch.length);
    const errors = new Map<number, SluiceError>();
    const running: number[] = [];
    const mains: (string | null)[] = [];
    for (let i = 0; i < batch.length; i++) {
      const main = mainOf(batch, i);
      const plan = planOf(batch, i, main);
      plans[i] = plan;
      if (plan !== RUN) continue;
      const error = inputError(batch, i, main);
      if (error !== null) {
        plans[i] = FAIL;
        errors.set(i, error);
      } else {
        running.push(i);
        mains.push(main);
      }
    }
    return { plans, errors, indices: Uint32Array.from(running), mains };
  }

  function slices(batch: EventBatch, { indices, mains }: Plan): [number, number][] {
    const mean = Math.ceil(batch.bytes / Math.max(1, batch.length)); // of lines, whose lengths nobody needs to know
    const most = Math.min(SLICE_EVENTS, Math.max(SLICE_LEAST, Math.ceil(indices.length / details.children)));
    const out: [number, number][] = [];
    let from = 0;
    let bytes = 0;
    for (let j = 0; j < indices.length; j++) {
      const size = mains === null ? mean : (mains[j]?.length ?? 0);
      if (j > from && (j - from >= most || bytes + size > SLICE_BYTES)) {
        out.push([from, j]);
        from = j;
        bytes = 0;
      }
      bytes += size;
    }
    if (from < indices.length) out.push([from, indices.length]);
    return out;
  }

  function deliverLogs(
    batch: EventBatch,
    indices: Uint32Array,
    from: number,
    logs: readonly LogLine[],
    dropped: number,
  ): void {
    for (const line of logs) {
      const index = indices[from + line.index];
      if (index === undefined) continue;
      const at = line.place === null ? {} : { at: authorsPlace(line.place, details.place) };
      const level = line.level in LEVELS ? line.level : 'info';
      details.log[level]({ transform: rule.id, event: batch.id(index), ...at }, line.text);
    }
    if (dropped > 0) {
      details.log.warn({ transform: rule.id, dropped }, 'log lines beyond limits.logs were dropped');
    }
  }

  // Puts the outputs side by side for mapBatch.
  function assemble(
    batch: EventBatch,
    plans: Uint8Array,
    answers: readonly Answer[],
    errors: Map<number, SluiceError>,
  ): TransformResult {
    const from: number[] = [];
    const part: number[] = [];
    const before: (string | null)[] = [];
    const after: (string | AnswerLine | null)[] = [];
    const filtered: number[] = [];
    const failed: TransformFailure[] = [];
    const changed: Change = new Map();

    const outputs = { from, part, before, after, changed };
    for (let i = 0; i < batch.length; i++) {
      if (plans[i] === FAIL) {
        failed.push({ index: i, error: errors.get(i)! });
        continue;
      }
      if (plans[i] === PASS) {
        const op = batch.op(i);
        from.push(i);
        part.push(-1);
        before.push(batch.before(i) === null ? null : keyText(batch, i));
        // a schema change and a message are no images of a row: there is nothing in them to cut
        after.push(op === 's' || op === 'm' ? batch.after(i) : null);
        continue;
      }
      const answer = answers[i]!;
      if (answer === null) {
        filtered.push(i);
      } else if (isRefused(answer)) {
        failed.push({ index: i, error: errorOf(answer, rule, details.place) });
      } else {
        const start = from.length;
        const found = typeof answer === 'string' || isLine(answer) ? [answer] : answer;
        let error: SluiceError | null = null;
        for (let k = 0; k < found.length && error === null; k++) {
          error = output(outputs, batch, i, found[k]!, found.length > 1 ? k : -1);
        }
        if (error !== null) {
          for (let j = start; j < from.length; j++) changed.delete(j);
          for (const list of [from, part, before, after]) list.length = start;
          failed.push({ index: i, error });
        }
      }
    }
    const rows: MappedRows = {
      from: Uint32Array.from(from),
      part: Int32Array.from(part),
      before,
      after,
      ...(details.keepsNumbers && !batch.typed ? { typed: false } : {}),
      ...(changed.size === 0 ? {} : { changed }),
    };
    return { out: mapBatch(batch, rows), from: rows.from, filtered: Uint32Array.from(filtered), failed };
  }

  function output(
    into: Outputs,
    batch: EventBatch,
    i: number,
    given: string | AnswerLine,
    part: number,
  ): SluiceError | null {
    if (typeof given !== 'string') {
      // Sent as a line, so it is the row of a create, a read or an update, as below: its old image did not pass the function.
      into.from.push(i);
      into.part.push(part);
      into.before.push(batch.before(i) === null ? null : keyText(batch, i));
      into.after.push(given);
      return null;
    }
    const text = given;
    const isDelete = !byEvent && batch.op(i) === 'd';
    let old: string | null;
    let now: string | null;
    if (byEvent) {
      const [head, first, second] = text.split('\t') as [string, string, string];
      old = first === '' ? null : first;
      now = second === '' ? null : second;
      if (head !== batch.head(i)) {
        const change = compareHeads(batch, i, head, rule.file);
        if (change instanceof Error) return change;
        if (change !== null) into.changed.set(into.from.length, change);
      }
    } else if (both) {
      const [first, second] = text.split('\t') as [string, string];
      old = first === '' ? null : first;
      now = second === '' ? null : second;
      if (isDelete) {
        old = now; // of a delete the one image that went through is the old one
        now = null;
      } else if (now === null) {
        into.changed.set(into.from.length, { op: 'd' });
      } else if (old === null && part < 0 && batch.before(i) !== null && !batch.wholeBefore(i)) {
        old = keyText(batch, i);
      }
    } else if (isDelete) {
      old = text; // a delete's result stands whole as `before`
      now = null;
    } else {
      // Its old image did not pass the function: a masked row must not leave in clear that way.
      old = batch.before(i) === null ? null : keyText(batch, i);
      now = text;
    }
    into.from.push(i);
    into.part.push(part);
    into.before.push(old);
    into.after.push(now);
    return null;
  }

  return {
    identity,
    apply,
    lane: () => (details.lane === null ? null : { ...details.lane, events, deopts }),
    get parked() {
      return loaded.parked;
    },
    park: (parked) => loaded.park(parked),
    resume: () => loaded.resume(),
    [Symbol.asyncDispose]: () => loaded[Symbol.asyncDispose](),
  };
}

/** What is done with the events of a batch, and which of them run. */
interface Plan {
  readonly plans: Uint8Array;
  readonly errors: Map<number, SluiceError>;
  readonly indices: Uint32Array;
  /** Beside `indices`, the texts that go in: to make one may be to decode a row. null: they go as lines. */
  readonly mains: readonly (string | null)[] | null;
}

type Writable<T> = { -readonly [name in keyof T]: T[name] };

type Change = Map<number, HeadChange>;

interface Outputs {
  readonly from: number[];
  readonly part: number[];
  readonly before: (string | null)[];
  readonly after: (string | AnswerLine | null)[];
  readonly changed: Change;
}

const LEVELS = { debug: 1, info: 1, warn: 1, error: 1 };

function keyText(batch: EventBatch, i: number): string | null {
  const key = batch.oldKey(i) ?? batch.key(i);
  return key === null ? null : JSON.stringify(key);
}
