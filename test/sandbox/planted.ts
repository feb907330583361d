// The attacks of ../cases/sandbox-attacks.json, and how one is planted in a transform: one row meets it, all others pass.

import { readFileSync } from 'node:fs';
import type { Attack } from './more-attacks.ts';

const cases = JSON.parse(readFileSync(new URL('../cases/sandbox-attacks.json', import.meta.url), 'utf8')) as {
  attacks: Attack[];
  endless_loops: string[];
};

export const attacks: readonly Attack[] = cases.attacks;
export const loops: readonly Attack[] = cases.endless_loops.map((code, i) => ({
  name: `loop ${i}: ${code}`,
  code: `function transform(){${code}}`,
}));

/** A module whose function is the attack's for the row with this `id`; every other row gets `ok: true`. */
export function plant(code: string, id: number): string {
  return `export default (row, ctx) => {
  if (row.id !== ${id}) return { ...row, ok: true };
  const log = ctx.log;
  const hostThrow = () => { throw new Error('host'); };
  ${code}
  ;return transform(row);
}`;
}
