// One run: events through a chain up to a step, in the sandbox of production and with its limits. What each event became is
// told with its log lines; what was done when the time was over is told too.
// Guarantees: every event of the request has a result; an event is `not_run` only when the run says why it stopped; the code
// runs in engine/chain.ts as in a stream.

import { join, sluiceError, toSluiceError } from 'sluice/sdk';
import type { Languages, SteppedChain } from '../../core/workbench.ts';
import {
  type ErrorData,
  type EventBatch,
  openSteps,
  type Passage,
  type StreamConfig,
  type TransformRule,
} from '../../core/workbench.ts';
import type { PlaygroundError, Response, RunLogLine, RunResult } from './api.ts';
import { openLogBook } from './log-book.ts';

/** ms that the events of a run may take, from when the first is done: that one may have to wait for a cold start. */
export const RUN_TIME = 3_000;
/** Events of one run. */
export const MOST_EVENTS = 500;
/** Characters of all results of a run: they are held in memory, here and in the page. */
const MOST_TEXT = 32 << 20;
/** Events that go together at most. */
const SLICE = 50;
/** How many times as many the next slice has: few at first, so that what is slow is told soon. */
const GROWTH = 10;
/** A slice that took longer, in ms, is followed by one of a single event: what is slow is told one by one. */
const SLOW = 200;

export interface RunParts {
  readonly rules: readonly TransformRule[];
  readonly stream: StreamConfig;
  readonly events: readonly EventBatch[];
  /** With what each event costs. */
  readonly measured: boolean;
  readonly languages: Languages;
  /** Errors as they may be shown. */
  shown(error: ErrorData): ErrorData;
  readonly signal: AbortSignal;
}

export async function run(parts: RunParts): Promise<Response<'run'>> {
  const { rules, stream, events, measured, languages, shown, signal } = parts;
  const started = performance.now();
  const logs = openLogBook();
  let problemAt: string | undefined;
  let chain: SteppedChain;
  try {
    const problem = (step: string): void => {
      problemAt = step;
    };
    chain = await openSteps(rules, stream, { languages, log: logs.log, signal, problem });
  } catch (thrown) {
    signal.throwIfAborted();
    const problem = shown(toSluiceError(thrown).toJSON()) as PlaygroundError;
    const results = events.map((batch) => notRun(batch.id(0)));
    const ms = { compile: performance.now() - started, run: 0 };
    return { results, problem, ...(problemAt === undefined ? {} : { step: problemAt }), ms };
  }
  await using _chain = chain;
  const compiled = performance.now();
  let over: AbortSignal | null = null;
  let until = signal;
  const results: RunResult[] = [];
  let stop: PlaygroundError | undefined;
  let text = 0;
  let most = 1;
  for (let from = 0; from < events.length; ) {
    const slice = sliceOf(events, from, most);
    const began = performance.now();
    // The first event is always told: it is bounded by the limits of its transform, also on a machine that is busy.
    const passages = await through(chain, slice, until, measured);
    most = performance.now() - began > SLOW ? 1 : Math.min(SLICE, most * GROWTH);
    if (over === null) {
      over = AbortSignal.timeout(RUN_TIME);
      until = AbortSignal.any([signal, over]);
    }
    from += slice.length;
    signal.throwIfAborted();
    if (passages instanceof Error) {
      stop = over?.aborted ? timeOver(results.length, events.length) : (shown(passages.toJSON()) as PlaygroundError);
      break;
    }
    for (const [i, passage] of passages.entries()) {
      results.push(resultOf(slice.id(i), passage, logs.of(slice.id(i)), shown));
    }
    logs.clear();
    if (over?.aborted && results.length < events.length) {
      stop = timeOver(results.length, events.length);
      break;
    }
    text += textOf(results.slice(-slice.length));
    if (text > MOST_TEXT && results.length < events.length) {
      stop = tooMuch(results.length, events.length);
      break;
    }
  }
  const ran = results.length;
  for (const batch of events.slice(ran)) results.push(notRun(batch.id(0)));
  return {
    results,
    ...(stop === undefined ? {} : { stopped: stop }),
    ...(logs.dropped === 0 ? {} : { logs_dropped: logs.dropped }),
    ms: { compile: compiled - started, run: performance.now() - compiled },
  };
}

async function through(chain: SteppedChain, slice: EventBatch, signal: AbortSignal, measured: boolean) {
  try {
    return await chain.through(slice, signal, measured);
  } catch (thrown) {
    return toSluiceError(thrown);
  }
}

function timeOver(ran: number, of: number): PlaygroundError {
  const message = `after ${RUN_TIME} ms ${ran} of ${of} events were done`;
  return sluiceError('E_PLAYGROUND_TIME', { message }).toJSON();
}

function tooMuch(ran: number, of: number): PlaygroundError {
  const message = `the results of ${ran} of ${of} events hold more than ${MOST_TEXT >> 20} MiB of text`;
  return sluiceError('E_PLAYGROUND_SIZE', { message }).toJSON();
}

function textOf(results: readonly RunResult[]): number {
  const texts = results.flatMap(({ inputs, outputs, logs }) => [
    ...inputs,
    ...outputs,
    ...logs.map((line) => line.text),
  ]);
  return texts.reduce((sum, one) => sum + one.length, 0);
}

function resultOf(
  id: string,
  { step, inputs, outputs, error, cost }: Passage,
  logs: readonly RunLogLine[],
  shown: RunParts['shown'],
): RunResult {
  const fate = error !== null ? 'failed' : outputs.length === 0 ? 'filtered' : outputs.length > 1 ? 'fan_out' : 'ok';
  return {
    id,
    fate,
    ...(step === null ? {} : { step }),
    inputs,
    outputs,
    ...(error === null ? {} : { error: shown(error) as PlaygroundError }),
    logs,
    ...(cost === null ? {} : { ms: cost.ms }),
    ...(cost === null || cost.bytes < 0 ? {} : { memory: cost.bytes }), // less than 0: garbage was collected meanwhile
  };
}

function notRun(id: string): RunResult {
  return { id, fate: 'not_run', inputs: [], outputs: [], logs: [] };
}

/** Events with one id never go together: a log line is known by the id of its event. */
function sliceOf(events: readonly EventBatch[], from: number, most: number): EventBatch {
  const ids = new Set<string>();
  let to = from;
  while (to < events.length && to - from < most && !ids.has(events[to]!.id(0))) ids.add(events[to++]!.id(0));
  return join(events.slice(from, to));
}
