// How many rejected events a table may have within a time (`park_after`). Beyond it the table is parked, so that one that no sink
// takes any more does not fill the dead letters while the others go on.

import type { TableBudget } from '../manifest/model.ts';

export interface BudgetOfTables {
  /** A needed sink rejected an event of the table. Returns the reason to park it, once. */
  rejected(table: string): string | null;
  /** It begins anew. */
  resumed(table: string): void;
}

/** `now` in ms. */
export function budgetOfTables({ rejects, per }: TableBudget, now = () => performance.now()): BudgetOfTables {
  const times = new Map<string, number[]>(); // of the last `rejects` at most
  const over = new Set<string>();
  return {
    rejected(table) {
      if (over.has(table)) return null;
      const at = now();
      const last = times.get(table) ?? [];
      last.push(at);
      times.set(table, last);
      if (last.length < rejects) return null;
      if (at - last[0]! > per) {
        last.shift();
        return null;
      }
      over.add(table);
      times.delete(table);
      return `${rejects} of its events were rejected within ${per / 1000} s (park_after)`;
    },
    resumed(table) {
      over.delete(table);
      times.delete(table);
    },
  };
}
