// When to run: 100 ms after the last key, at once after anything else; a newer run ends the older one. One run is under way
// at a time. An answer that is not the newest one's is never shown.

export interface LiveRun {
  /** Ask for a run. `typed`: more keys may come, so wait for the pause. */
  ask(typed: boolean): void;
  stop(): void;
}

export interface LiveRunParts<T> {
  run(signal: AbortSignal): Promise<T>;
  done(answer: T): void;
  failed(error: unknown): void;
  readonly pause?: number;
}

export const PAUSE = 100;

export function createLiveRun<T>(parts: LiveRunParts<T>): LiveRun {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let current: AbortController | null = null;

  const start = async (): Promise<void> => {
    timer = undefined;
    current?.abort();
    const mine = new AbortController();
    current = mine;
    try {
      const answer = await parts.run(mine.signal);
      if (current === mine) parts.done(answer);
    } catch (error) {
      if (current === mine && !mine.signal.aborted) parts.failed(error);
    }
    if (current === mine) current = null;
  };
  return {
    ask(typed) {
      clearTimeout(timer);
      timer = setTimeout(start, typed ? (parts.pause ?? PAUSE) : 0);
    },
    stop() {
      clearTimeout(timer);
      current?.abort();
      current = null;
    },
  };
}
