// The queue between reading and writing: in order, bounded in bytes, one producer and one consumer.
// Guarantee: push() holds the producer back once the bound is reached, so memory does not grow with a slow sink.

export interface WorkQueue<T> {
  /** Resolves when there is room for more. */
  push(item: T, bytes: number): Promise<void>;
  /** No more will come; what is in the queue can still be taken. With an error, take() throws it after the last item. */
  end(error?: unknown): void;
  /** The next item, or undefined after the end. */
  take(): Promise<T | undefined>;
  /** The next item if there is one now; it stays in the queue. */
  peek(): T | undefined;
  /** Takes what peek() showed. */
  takeNow(): void;
  /** Room is given back when an item is finished, not when it is taken: what is being written counts too. */
  release(bytes: number): void;
  /** Forgets everything and lets both sides go. */
  clear(): void;
}

export function workQueue<T>(maxBytes: number): WorkQueue<T> {
  const items: (T | undefined)[] = [];
  let head = 0;
  let bytes = 0;
  let ended = false;
  let failure: unknown;
  let wakeTaker: (() => void) | undefined;
  let wakePusher: (() => void) | undefined;

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
  const wake = (): void => {
    wakeTaker?.();
    wakeTaker = undefined;
  };
  const room = (): void => {
    if (bytes < maxBytes || ended) {
      wakePusher?.();
      wakePusher = undefined;
    }
  };
  return {
    async push(item, size) {
      if (ended) return;
      items.push(item);
      bytes += size;
      wake();
      if (bytes >= maxBytes) {
        await new Promise<void>((resolve) => {
          wakePusher = resolve;
        });
      }
    },
    end(error) {
      if (ended) return;
      ended = true;
      failure = error;
      wake();
      room();
    },
    async take() {
      for (;;) {
        if (head < items.length) return next();
        if (ended) {
          if (failure !== undefined) throw failure;
          return undefined;
        }
        await new Promise<void>((resolve) => {
          wakeTaker = resolve;
        });
      }
    },
    peek: () => items[head],
    takeNow() {
      next();
    },
    release(size) {
      bytes -= size;
      room();
    },
    clear() {
      items.length = 0;
      head = 0;
      bytes = 0;
      ended = true;
      wake();
      room();
    },
  };
}
