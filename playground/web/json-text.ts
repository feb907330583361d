// JSON for people to read, with its digits as they came: 9007199254740993 stays what it is, and 1.10 keeps its nought.
// (JSON.parse gives a reviver the source text of a number, and JSON.rawJSON writes it again: ES2026.)

interface Raw {
  rawJSON?(text: string): unknown;
}

const raw = (JSON as Raw).rawJSON;
// a browser without it rounds large numbers, as JSON.parse always did
const keepNumber =
  raw === undefined
    ? undefined
    : (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
        typeof value === 'number' && context?.source !== undefined ? raw(context.source) : value;

/** Two blanks for each level. What is no JSON comes back as it is. */
export function layOut(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text, keepNumber), null, 2);
  } catch {
    return text;
  }
}

/** The row that an envelope carries: what came after the change, or of a delete what was before. Laid out. */
export function rowOf(envelope: string): string {
  try {
    const event = JSON.parse(envelope, keepNumber) as {
      readonly op?: unknown;
      readonly before?: unknown;
      readonly after?: unknown;
    };
    return JSON.stringify((event.op === 'd' ? event.before : event.after) ?? null, null, 2);
  } catch {
    return envelope;
  }
}

/** As values, for completion and labels only; null where it is no object. */
export function parsedObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** The first number that a double cannot hold as it is written (a stream would fail the event, too), or null. */
export function roundedNumber(text: string): string | null {
  let found: string | null = null;
  JSON.parse(text, (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
    if (typeof value === 'number' && isRounded(value, context?.source)) found ??= context!.source!;
    return value;
  });
  return found;
}

/** `source`: as it is written; a browser that does not tell it rounds without a word. */
export function isRounded(value: number, source: string | undefined): boolean {
  if (source === undefined) return false;
  if (/^-?\d+$/.test(source)) return BigInt(source.replace('-', '')) > 2n ** 53n;
  const digits = source
    .replace(/[eE].*$/, '')
    .replace(/\D/g, '')
    .replace(/^0+/, '').length;
  return digits > 17 || !Number.isFinite(value);
}

/** Pasted text as events: one JSON value, a list of them, or one a line. Each as its own text. Throws a SyntaxError. */
export function splitEvents(text: string): readonly string[] {
  const whole = text.trim();
  if (whole === '') return [];
  try {
    const value: unknown = JSON.parse(whole, keepNumber);
    if (Array.isArray(value)) return value.map((one) => JSON.stringify(one));
    return [whole];
  } catch (error) {
    const lines = whole
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
    if (lines.length < 2) throw error;
    return lines.map((line, i) => {
      try {
        JSON.parse(line);
      } catch (cause) {
        throw new SyntaxError(`line ${i + 1}: ${(cause as Error).message}`);
      }
      return line;
    });
  }
}
