// Room for so many bytes: whoever brings more waits until some are given back. Bounded memory is made of this.

export interface ByteRoom {
  /** Resolves while less than the whole room is taken, or after close(). One that comes then may take more than is left. */
  free(): Promise<void>;
  take(bytes: number): void;
  give(bytes: number): void;
  /** Lets everybody go. */
  close(): void;
}

export function byteRoom(max: number): ByteRoom {
  let taken = 0;
  let closed = false;
  let waiting: (() => void)[] = [];
  const isFree = (): boolean => closed || taken < max;
  const wake = (): void => {
    if (!isFree()) return;
    const woken = waiting;
    waiting = [];
    for (const resolve of woken) resolve();
  };
  return {
    async free() {
      while (!isFree()) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    take(bytes) {
      taken += bytes;
    },
    give(bytes) {
      taken -= bytes;
      wake();
    },
    close() {
      closed = true;
      wake();
    },
  };
}
