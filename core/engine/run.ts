// Several streams side by side: at most max_concurrent_streams at once, each with its own fate. One that fails leaves the
// others alone. Stop drains: soft first, hard when graceful_shutdown_timeout is over or on the second request (invariant 7).

import { toSluiceError } from '../errors.ts';
import type { Languages } from '../languages.ts';
import type { Manifest, StreamConfig } from '../manifest/model.ts';
import type { Logger } from '../plugin.ts';
import type { StateStore } from '../state/store.ts';
import { aborted, pause } from './backoff.ts';
import { liveRow, newStatus, pendingOf, type StreamStatus } from './status.ts';
import { runStream, type StreamEnd } from './stream.ts';

export interface RunParts {
  readonly manifest: Manifest;
  readonly store: StateStore;
  readonly languages: Languages | null;
  readonly log: Logger;
  /** The ids to run; by default every enabled stream. */
  readonly streams?: readonly string[];
  /** End (drained, as `ended`) when nothing has come for this long, in ms. */
  readonly untilIdle?: number;
  /** The stream as the files on disk say it now. */
  readonly reload?: (stream: string) => Promise<StreamConfig>;
}

export interface Run {
  readonly statuses: readonly StreamStatus[];
  /** How each stream ended, in the order of `statuses`. Never rejects. */
  readonly done: Promise<readonly StreamEnd[]>;
  /** Drains and stops; a second call ends at once. */
  stop(): void;
}

const STATUS_EVERY_MS = 1_000;
const IDLE_CHECK_MS = 50;
/** A stream whose plugins do not let go after a hard stop has so long, and is then left behind. */
const LET_GO_MS = 10_000;

export function startRun(parts: RunParts): Run {
  const { manifest, store } = parts;
  const soft = new AbortController();
  const hard = new AbortController();
  const over = new AbortController();
  const chosen = manifest.streams.filter((s) =>
    parts.streams === undefined ? s.enabled : parts.streams.includes(s.id),
  );
  const statuses = chosen.map((config) => newStatus(config.id));
  const running = new Set<StreamStatus>();

  let saving = false; // a slow store gets the next row when it has the last
  const save = (): void => {
    if (saving) return;
    saving = true;
    void saveStatuses(parts, running).finally(() => {
      saving = false;
    });
  };
  const timers = [setInterval(save, STATUS_EVERY_MS)];
  const idled = new Set<StreamStatus>();
  const idle = new Map<StreamStatus, AbortController>(); // ends one stream, so that the next has its place
  if (parts.untilIdle !== undefined) {
    const limit = parts.untilIdle;
    const check = (): void => {
      const waiting = statuses.length - running.size - statuses.filter(isOver).length;
      const isDone = (status: StreamStatus): boolean => isOver(status) || isIdle(status, limit);
      if (statuses.every(isDone)) {
        for (const status of running) idled.add(status);
        soft.abort();
      } else if (waiting > 0) {
        for (const status of running) {
          if (!isIdle(status, limit)) continue;
          idled.add(status);
          idle.get(status)?.abort();
        }
      }
    };
    timers.push(setInterval(check, IDLE_CHECK_MS));
  }

  let deadline: NodeJS.Timeout | undefined;
  const stop = (): void => {
    if (soft.signal.aborted) {
      hard.abort();
      return;
    }
    soft.abort();
    deadline = setTimeout(() => hard.abort(), manifest.service.graceful_shutdown_timeout);
  };

  const slots = semaphore(manifest.service.max_concurrent_streams);
  const done = Promise.all(
    chosen.map(async (config, i): Promise<StreamEnd> => {
      const status = statuses[i]!;
      const release = await slots(soft.signal);
      if (soft.signal.aborted) {
        release();
        status.state = 'stopped';
        return { state: 'stopped' };
      }
      running.add(status);
      const own = new AbortController();
      idle.set(status, own);
      const stopping = AbortSignal.any([soft.signal, own.signal]);
      const reload = parts.reload;
      const streamEnd = runStream({
        config,
        store,
        languages: parts.languages,
        log: parts.log,
        signal: stopping,
        status,
        soft: stopping,
        hard: hard.signal,
        ...(reload === undefined ? {} : { reload: () => reload(config.id) }),
      });
      const end = await Promise.race([streamEnd, leftBehind(hard.signal, over.signal)]);
      if (end.state === 'stopped' && end.left === true) {
        status.state = 'stopped';
        const message = `stream ${config.id} did not end within ${LET_GO_MS / 1000} s, and is left behind: a plugin does not obey its signal`;
        parts.log.error({ stream: config.id }, message);
      }
      running.delete(status);
      release();
      const isIdled = end.state === 'stopped' && idled.has(status);
      if (isIdled) status.state = 'ended';
      await saveStatuses(parts, [status]);
      return isIdled ? { state: 'ended' } : end;
    }),
  ).finally(() => {
    over.abort();
    for (const timer of timers) clearInterval(timer);
    clearTimeout(deadline);
  });
  return { statuses, done, stop };
}

async function saveStatuses(parts: RunParts, statuses: Iterable<StreamStatus>): Promise<void> {
  for (const status of statuses) {
    try {
      await parts.store.saveStatus(liveRow(status));
    } catch (thrown) {
      // The live row is for looking at; a stream does not end because it cannot be written.
      parts.log.warn(
        { stream: status.id, error: toSluiceError(thrown).toJSON() },
        'the live status could not be saved',
      );
    }
  }
}

/** Resolves when a hard stop was LET_GO_MS ago; never once all is over. */
async function leftBehind(hard: AbortSignal, over: AbortSignal): Promise<StreamEnd> {
  await aborted(hard, over);
  await pause(LET_GO_MS, over);
  if (over.aborted) await new Promise(() => undefined);
  return { state: 'stopped', left: true };
}

function isOver(status: StreamStatus): boolean {
  return status.state === 'ended' || status.state === 'failed' || status.state === 'stopped';
}

// A stream that waits for something absent is not idle: its events have not had their fate yet.
function isIdle(status: StreamStatus, limit: number): boolean {
  return (
    status.checkpoint !== null &&
    status.state !== 'waiting' &&
    pendingOf(status) === 0 &&
    !status.isBusy() &&
    performance.now() - status.lastActivity >= limit
  );
}

/** Gives out n places; whoever waits for one when the signal aborts gets through, to see the abort. */
function semaphore(n: number): (signal: AbortSignal) => Promise<() => void> {
  let free = n;
  const waiting: (() => void)[] = [];
  const release = (): void => {
    free++;
    waiting.shift()?.();
  };
  return async (signal) => {
    if (free <= 0) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    free--;
    return release;
  };
}
