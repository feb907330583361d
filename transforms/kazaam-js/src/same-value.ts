// Whether two JSON texts stand for the same value: 1 and 1.0, members in any order. For the extension `compare-values`.

export function sameValue(a: string, b: string): boolean {
  if (a === b) return true;
  try {
    return same(JSON.parse(a), JSON.parse(b));
  } catch {
    return false;
  }
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && same(member(a, name), member(b, name)))
  );
}

const member = (of: object, name: string): unknown => (of as Record<string, unknown>)[name];
