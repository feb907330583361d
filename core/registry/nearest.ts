// The known names nearest to one that is not known, for "did you mean". Gives nothing rather than a far guess.

/** Up to three of `known`, nearest first: one or two edits away (one in short names), or one name begins with the other. */
export function nearest(name: string, known: Iterable<string>): string[] {
  const wanted = name.toLowerCase();
  const limit = wanted.length <= 4 ? 1 : 2;
  const found: { name: string; distance: number }[] = [];
  for (const candidate of new Set(known)) {
    const text = candidate.toLowerCase();
    const begins = wanted.length >= 3 && (text.startsWith(wanted) || (text.length >= 3 && wanted.startsWith(text)));
    const distance = Math.min(edits(wanted, text), begins ? limit : Infinity);
    if (distance <= limit) found.push({ name: candidate, distance });
  }
  return found
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map((one) => one.name);
}

// Edits between two words, two neighbours swapped counting as one ("fiel" is one edit from "file").
function edits(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(changed, rows[i - 1]![j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
      }
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
