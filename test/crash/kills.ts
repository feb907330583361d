// Kills the real process with SIGKILL, again and again, while a stream runs and a writer changes its source.
// The moments: very early (the process may not even have opened its state), some time after it says that it runs, right
// after the checkpoint moved, and at the instant when something appeared in the target. Guarantees: goes on until there were
// enough kills and, among them, enough that fell after the first checkpoint with the position moved since the kill before.
// Refuses a process that ends by itself, and one that does not get anywhere: both are failures of the test.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from '../../core/checkpoint.ts';
import { type RunningSluice, until } from '../cli.ts';
import type { Random } from './random.ts';

export interface Seen {
  /** JSON text; null before the first position. */
  readonly position: string | null;
  readonly ledger: Ledger;
}

export interface Victim {
  readonly random: Random;
  readonly kills: number;
  /** So many of them after the first checkpoint, the position moved since the kill before. */
  readonly moved: number;
  start(): RunningSluice;
  /** The checkpoint as it is stored; null when there is none. */
  seen(): Seen | null;
  /** Changes whenever something is written to the target, also what is not committed yet where that can be seen. */
  target(): number;
  /** Throws what the writer failed of: else the test would wait for changes that nobody makes. */
  checkWriter(): void;
  /** After each kill, while nothing runs. */
  afterKill(n: number, seen: Seen | null): Promise<void> | void;
}

export interface Tally {
  kills: number;
  /** A checkpoint with a position was there. */
  afterFirst: number;
  /** ... and it was another one than at the kill before. */
  moved: number;
}

/** The log line that says that a stream starts. */
const RUNS = 'starts';

export async function killAgainAndAgain(victim: Victim): Promise<Tally> {
  const tally: Tally = { kills: 0, afterFirst: 0, moved: 0 };
  let before: Seen | null = victim.seen();
  while (tally.kills < victim.kills || tally.moved < victim.moved) {
    if (tally.kills > victim.kills * 3 + 20) throw new Error(`the position hardly moves: ${JSON.stringify(tally)}`);
    const running = victim.start();
    await momentOf(victim, running, before).catch(async (thrown: unknown) => {
      await running.kill('SIGKILL');
      throw thrown;
    });
    const end = await running.kill('SIGKILL');
    if (end.signal !== 'SIGKILL') throw new Error(`it ended by itself with ${end.code}:\n${end.stdout}\n${end.stderr}`);
    tally.kills++;
    const seen = victim.seen();
    if (seen !== null && seen.position !== null) {
      tally.afterFirst++;
      if (seen.position !== (before?.position ?? null)) tally.moved++;
    }
    checkLedger(before, seen);
    victim.checkWriter();
    await victim.afterKill(tally.kills, seen);
    before = seen;
  }
  return tally;
}

async function momentOf(victim: Victim, running: RunningSluice, before: Seen | null): Promise<void> {
  const { random } = victim;
  const ended = running.exited.then(({ code, signal, stderr, stdout }) => {
    throw new Error(`it ended by itself with ${code ?? signal}:\n${stdout}\n${stderr}`);
  });
  const moment = async (): Promise<void> => {
    const dice = random.below(100);
    const target = victim.target();
    const wait = (what: string, happened: () => boolean): Promise<true> =>
      until<true>(
        what,
        () => {
          victim.checkWriter();
          return happened();
        },
        90_000,
      );
    if (dice < 10) {
      await sleep(random.below(500)); // the moment is the random thing here, nothing is waited for
      return;
    }
    if (dice < 22) {
      await wait('the stream starts', () => `${running.said().stdout}${running.said().stderr}`.includes(RUNS));
      await sleep(random.below(300));
      return;
    }
    if (dice < 45) {
      await wait('the target changes', () => victim.target() !== target);
      return;
    }
    await wait('the position moves', () => moved(victim.seen(), before));
    if (random.chance(0.8)) await sleep(random.below(150));
  };
  await Promise.race([moment(), ended]);
  ended.catch(() => undefined); // from here on it is expected to end
}

function moved(now: Seen | null, before: Seen | null): boolean {
  return now !== null && now.position !== null && now.position !== (before?.position ?? null);
}

// Invariant 4, and that nothing that was counted is forgotten.
function checkLedger(before: Seen | null, now: Seen | null): void {
  if (now === null) {
    if (before !== null) throw new Error('the checkpoint is gone');
    return;
  }
  const { ledger } = now;
  const sum = ledger.delivered + ledger.filtered + ledger.skipped + ledger.dead_lettered;
  if (ledger.in !== sum) throw new Error(`the ledger does not add up: ${JSON.stringify(ledger)}`);
  if (before !== null && ledger.in < before.ledger.in) {
    throw new Error(`the ledger went back: ${JSON.stringify(before.ledger)}, then ${JSON.stringify(ledger)}`);
  }
}
