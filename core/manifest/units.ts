// Durations and sizes as people write them: a number with its unit, always. "30" alone is refused: nobody remembers
// whether it was seconds or milliseconds, and the wrong guess is a thousand times off.

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const SIZE = /^(\d+(?:\.\d+)?)(B|KB|MB|GB|KiB|MiB|GiB)$/;

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Milliseconds, or null when `text` is no duration. @example durationMs('1.5s') // 1500 */
export function durationMs(text: string): number | null {
  return inUnits(text, DURATION, MS);
}

/** Bytes, or null when `text` is no size. @example sizeBytes('64MiB') // 67108864 */
export function sizeBytes(text: string): number | null {
  return inUnits(text, SIZE, BYTES);
}

function inUnits(text: string, form: RegExp, units: Readonly<Record<string, number>>): number | null {
  const match = form.exec(text);
  if (match === null) return null;
  const value = Math.round(Number(match[1]) * units[match[2]!]!);
  return Number.isSafeInteger(value) ? value : null;
}
