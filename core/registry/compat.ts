// Does the plugin API of this host satisfy the range in a plugin's package.json? A small reading of npm's ranges:
// exact, ^, ~, x-ranges, >= > <= < =, hyphen ranges, `||`. What is no range is never satisfied, so a typo refuses the
// plugin instead of letting it in. Pre-releases are ordered as semver says and not shut out otherwise (npm's
// includePrerelease): who tries 1.3.0-rc.1 of the host wants to see whether plugins for ^1.2 still run.

interface Version {
  readonly numbers: readonly [number, number, number];
  readonly pre: readonly string[];
}

/** `test(version)` of one comparator, all of a set must hold. */
interface Comparator {
  readonly op: '<' | '<=' | '>' | '>=';
  readonly version: Version;
}

const VERSION = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;
const PARTIAL =
  /^(?<op>\^|~>?|>=|<=|>|<|=)?v?(?<major>\d+|[xX*])(?:\.(?<minor>\d+|[xX*]))?(?:\.(?<patch>\d+|[xX*]))?(?:-(?<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;
const LOWEST: readonly string[] = ['0']; // `-0`, below every other pre-release

export function isRange(range: string): boolean {
  return parseRange(range) !== null;
}

/** True when `version` lies in `range`; false also when either is none. */
export function satisfies(version: string, range: string): boolean {
  const found = parseVersion(version);
  const sets = parseRange(range);
  if (found === null || sets === null) return false;
  return sets.some((set) => set.every((comparator) => holds(found, comparator)));
}

function parseVersion(text: string): Version | null {
  const found = VERSION.exec(text.trim());
  if (found === null) return null;
  return {
    numbers: [Number(found[1]), Number(found[2]), Number(found[3])],
    pre: found[4] === undefined ? [] : found[4].split('.'),
  };
}

function parseRange(range: string): Comparator[][] | null {
  const sets: Comparator[][] = [];
  for (const part of range.split('||')) {
    const set = parseSet(part.trim());
    if (set === null) return null;
    sets.push(set);
  }
  return sets;
}

function parseSet(text: string): Comparator[] | null {
  if (text === '') return [];
  const hyphen = /^(\S+)\s+-\s+(\S+)$/.exec(text);
  const words = hyphen
    ? [`>=${hyphen[1]}`, `<=${hyphen[2]}`]
    : text.replace(/(\^|~>?|>=|<=|>|<|=)\s+/g, '$1').split(/\s+/);
  const set: Comparator[] = [];
  for (const word of words) {
    const comparators = parseComparator(word);
    if (comparators === null) return null;
    set.push(...comparators);
  }
  return set;
}

function parseComparator(word: string): Comparator[] | null {
  const groups = PARTIAL.exec(word)?.groups;
  if (groups === undefined) return null;
  const major = numberOf(groups['major']);
  const minor = major === null ? null : numberOf(groups['minor']);
  const patch = minor === null ? null : numberOf(groups['patch']);
  const pre = patch === null ? undefined : groups['pre']?.split('.');
  const from = at(major ?? 0, minor ?? 0, patch ?? 0, pre ?? (patch === null ? LOWEST : []));
  // the first version after everything that the partial covers
  const after =
    major === null
      ? null
      : minor === null
        ? at(major + 1, 0, 0, LOWEST)
        : patch === null
          ? at(major, minor + 1, 0, LOWEST)
          : null;
  switch (groups['op'] ?? '=') {
    case '>=':
      return [{ op: '>=', version: from }];
    case '<':
      return [{ op: '<', version: major === null ? at(0, 0, 0, LOWEST) : from }];
    case '>':
      if (major === null) return [{ op: '<', version: at(0, 0, 0, LOWEST) }]; // greater than everything: nothing is
      return [after === null ? { op: '>', version: from } : { op: '>=', version: after }];
    case '<=':
      if (major === null) return [];
      return [after === null ? { op: '<=', version: from } : { op: '<', version: after }];
    case '^':
      if (major === null) return [];
      return [
        { op: '>=', version: from },
        { op: '<', version: caretEnd(major, minor, patch) },
      ];
    case '~':
    case '~>':
      if (major === null) return [];
      return [
        { op: '>=', version: from },
        { op: '<', version: minor === null ? at(major + 1, 0, 0, LOWEST) : at(major, minor + 1, 0, LOWEST) },
      ];
    default:
      if (major === null) return [];
      if (after !== null)
        return [
          { op: '>=', version: from },
          { op: '<', version: after },
        ];
      return [
        { op: '>=', version: from },
        { op: '<=', version: from },
      ];
  }
}

function caretEnd(major: number, minor: number | null, patch: number | null): Version {
  if (major > 0 || minor === null) return at(major + 1, 0, 0, LOWEST);
  if (minor > 0 || patch === null) return at(0, minor + 1, 0, LOWEST);
  return at(0, 0, patch + 1, LOWEST);
}

function numberOf(text: string | undefined): number | null {
  return text === undefined || /^[xX*]$/.test(text) ? null : Number(text);
}

function at(major: number, minor: number, patch: number, pre: readonly string[]): Version {
  return { numbers: [major, minor, patch], pre };
}

function holds(version: Version, { op, version: bound }: Comparator): boolean {
  const order = compare(version, bound);
  if (op === '<') return order < 0;
  if (op === '<=') return order <= 0;
  return op === '>' ? order > 0 : order >= 0;
}

function compare(a: Version, b: Version): number {
  for (const i of [0, 1, 2] as const) {
    if (a.numbers[i] !== b.numbers[i]) return a.numbers[i] - b.numbers[i];
  }
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length; // a release is after its pre-releases
  for (let i = 0; i < Math.max(a.pre.length, b.pre.length); i++) {
    const order = comparePart(a.pre[i], b.pre[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function comparePart(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const numeric = [/^\d+$/.test(a), /^\d+$/.test(b)] as const;
  if (numeric[0] && numeric[1]) return Number(a) - Number(b);
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1; // numbers come before words
  return a < b ? -1 : a > b ? 1 : 0;
}
