// Many small streams in one run, for tests that each look at one of them: where being alone in a process is not the point,
// one start of the command line serves all.

import { afterAll, beforeAll, expect } from 'vitest';
import { type Letter, type Pipeline, pipeline, type StreamShown } from './pipeline.ts';

/** Stream `n` goes from `./in<n>.ndjson` to `./out<n>.ndjson`, through the transformation that it is given. */
export interface Small {
  readonly transformation: { readonly id: string };
  /** Its source file. */
  readonly input: string | Uint8Array;
  /** Further files. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface Outcome {
  readonly out: readonly Record<string, unknown>[];
  readonly letters: readonly Letter[];
  readonly shown: StreamShown;
  readonly path: (name: string) => string;
}

/** To be called in a describe(): what became of each stream, once the run has ended with 0. */
export function sideBySide(streams: readonly Small[]): (n: number) => Outcome {
  let made: Pipeline;
  let letters: readonly Letter[];
  let shown: readonly StreamShown[];
  beforeAll(async () => {
    const transformations = new Map(streams.map(({ transformation }) => [transformation.id, transformation]));
    made = await pipeline({
      transformations: [...transformations.values()],
      streams: streams.map(({ transformation }, n) => ({
        id: `s${n}`,
        source: { type: 'file', path: `./in${n}.ndjson`, table: 'items', key: ['id'] },
        transformations: [transformation.id],
        sinks: [{ id: `out${n}`, type: 'file', path: `./out${n}.ndjson` }],
      })),
    });
    for (const [n, { input, files = {} }] of streams.entries()) {
      made.write(`in${n}.ndjson`, input);
      for (const [name, text] of Object.entries(files)) made.write(name, text);
    }
    const ran = await made.run();
    expect(ran.code, ran.stderr).toBe(0);
    [letters, shown] = await Promise.all([made.letters(), made.status()]);
  });
  afterAll(() => made[Symbol.asyncDispose]());
  return (n) => ({
    out: made.rows(`out${n}.ndjson`),
    letters: letters.filter(({ stream }) => stream === `s${n}`),
    shown: shown.find(({ id }) => id === `s${n}`)!,
    path: made.path,
  });
}
