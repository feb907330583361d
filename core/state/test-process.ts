// A second process for the tests of the state store: `node test-process.ts <verb> <store> <stream> [count]`.
// Says one JSON line for each thing that happened, so that a test waits for events and never for a time.

import { openSqliteStore } from './sqlite.ts';
import { checkpointOf, letterOf } from './test-samples.ts';

/** The letters that `write` stores beside checkpoint n. */
export const LETTERS = 3;

const [verb, path, stream, count] = (import.meta.main ? process.argv.slice(2) : []) as [
  string,
  string,
  string,
  string?,
];
const say = (fact: unknown): void => void process.stdout.write(`${JSON.stringify(fact)}\n`);

if (verb === 'lock') {
  // Takes the lock and holds it until it is killed, or until its standard input ends.
  const store = await openSqliteStore({ path });
  try {
    await store.lock(stream);
    say('locked');
  } catch (error) {
    say((error as { code: string }).code);
  }
  process.stdin.resume().on('end', () => void store[Symbol.asyncDispose]());
} else if (verb === 'look') {
  // Looks whether the stream is locked, over and over, until its standard input ends.
  await using store = await openSqliteStore({ path });
  let looking = true;
  process.stdin.resume().on('end', () => {
    looking = false;
  });
  const seen = new Set<boolean>();
  for (let n = 0; looking; n++) {
    const locked = await store.isLocked(stream);
    if (!seen.has(locked)) say(locked);
    seen.add(locked);
    if (n % 20 === 0) await new Promise(setImmediate);
  }
} else if (verb === 'write') {
  // Checkpoint n with its letters, n from 1, each said when it is confirmed.
  const store = await openSqliteStore({ path });
  for (let n = 1; n <= Number(count); n++) {
    const deadLetters = Array.from({ length: LETTERS }, (_, i) => letterOf(stream, `${n}/${i}`));
    await store.write({ checkpoint: checkpointOf(stream, n), deadLetters });
    say(n);
  }
  // Not closed: an idle store must not keep the process alive.
}
