// The queue between reading and writing: in order, one producer and one consumer. It is bounded by what its users take of a
// ByteRoom, not by itself.

export interface WorkQueue<T> {
  push(item: T): void;
  /** No more will come; what is in the queue can still be taken. With an error, take() throws it after the last item. */
  end(error?: unknown): void;
  /** Resolves to true as soon as take() will not wait, to false after `ms`. */
  filled(ms: number): Promise<boolean>;
  /** The next item, or undefined after the end. */
  take(): Promise<T | undefined>;
  /** The next item if there is one now; it stays in the queue. */
  peek(): T | undefined;
  /** Takes what peek() showed. */
  takeNow(): void;
  /** Forgets everything, and ends. */
  clear(): void;
}

export function workQueue<T>(): WorkQueue<T> {
  const items: (T | undefined)[] = [];
  let head = 0;
  let ended = false;
  let failure: unknown;
  let wakeTaker: (() => void) | undefined;

  const next = (): T => {
    const item = items[head]!;
    items[head] = undefined; // what was taken must not be kept alive by the queue
    head++;
    if (head > 1024) {
      items.splice(0, head);
      head = 0;
    }
    return item;
  };
  const isFilled = (): boolean => head < items.length || ended;
  const woken = (): Promise<void> =>
    new Promise((resolve) => {
      wakeTaker = resolve;
    });
  const wake = (): void => {
    wakeTaker?.();
    wakeTaker = undefined;
  };
  return {
    push(item) {
      if (ended) return;
      items.push(item);
      wake();
    },
    end(error) {
      if (ended) return;
      ended = true;
      failure = error;
      wake();
    },
    async filled(ms) {
      if (isFilled()) return true;
      const timer = setTimeout(wake, ms);
      await woken();
      clearTimeout(timer);
      return isFilled();
    },
    async take() {
      while (!isFilled()) await woken();
      if (head < items.length) return next();
      if (failure !== undefined) throw failure;
      return undefined;
    },
    peek: () => items[head],
    takeNow() {
      next();
    },
    clear() {
      items.length = 0;
      head = 0;
      ended = true;
      wake();
    },
  };
}
