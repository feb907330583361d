// Random numbers that a seed brings back. The seed is printed; SLUICE_SEED=<n> runs a test with it again. What the machine
// does between two random numbers is not brought back: the seed gives the same plan, not the same race.

export interface Random {
  /** From 0 to below n. */
  below(n: number): number;
  /** True about so often. */
  chance(p: number): boolean;
  pick<T>(of: readonly T[]): T;
}

export const seed = Number(process.env['SLUICE_SEED'] ?? Date.now() % 2 ** 31);

export function randomOf(start: number): Random {
  let state = start >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return { below, chance: (p) => next() < p, pick: (of) => of[below(of.length)]! };
}
