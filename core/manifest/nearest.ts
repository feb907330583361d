// The nearest known word to one that is not known: what "did you mean" says.
// Guarantees: null rather than a guess that is far off.

// What the seed, other tools and habit call our keys.
const otherNames: Readonly<Record<string, string>> = {
  transformation_id: 'transformations',
  transformation: 'transformations',
  transforms: 'transformations',
  destination: 'sinks',
  destinations: 'sinks',
  sink: 'sinks',
  pipelines: 'streams',
  batch_size: 'batch',
  auth: 'auth_id',
  auths: 'authentication',
  credentials: 'authentication',
  script: 'code',
  spec: 'specification',
  retries: 'max_retries',
  retry: 'retry_policy',
  errors: 'error_handling',
  collection_table: 'tables',
};

/** @example nearest('retry_polcy', ['retry_policy', 'batch']) // 'retry_policy' */
export function nearest(word: string, known: readonly string[]): string | null {
  const plain = simplified(word);
  const other = Object.hasOwn(otherNames, plain) ? otherNames[plain] : undefined;
  if (other !== undefined && known.includes(other)) return other;
  let best: string | null = null;
  let bestDistance = Math.min(3, Math.floor(plain.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(plain, simplified(candidate), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

// maxEvents, max-events and MAX_EVENTS are all max_events.
function simplified(word: string): string {
  return word
    .slice(0, 100)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
}

/** Insertions, deletions, replacements and swaps of neighbours. Gives up (with `limit`) once it cannot be less. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let older: number[] = [];
  let old = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(old[j]! + 1, row[j - 1]! + 1, old[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, older[j - 2]! + 1);
      row.push(cost);
    }
    older = old;
    old = row;
  }
  return old[b.length]!;
}
