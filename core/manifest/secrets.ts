// Collects what must never be shown: values from the environment and from files, and fields that a schema marks secret.
// Refuses values whose masking would hide half of every log line: very short ones, true, false, small numbers.

const TRIVIAL = /^(true|false|null|none|yes|no|on|off|[+-]?\d{1,5}(\.\d*)?)$/i;

export interface Secrets {
  /** `always`: it came from a file, which is where secrets are kept, so it is one however short. */
  add(value: string, always?: boolean): void;
  has(value: string): boolean;
  list(): readonly string[];
}

export function secretsOf(): Secrets {
  const values = new Set<string>();
  const add = (value: string, always = false): void => {
    if (value === '' || (!always && (value.length < 4 || TRIVIAL.test(value)))) return;
    values.add(value);
    const password = passwordIn(value);
    if (password !== null) for (const form of password) if (form.length >= 4) values.add(form);
  };
  return {
    add,
    has: (value) => values.has(value),
    // the longest first: masking "abc" before "abcdef" would leave "def"
    list: () => [...values].sort((a, b) => b.length - a.length),
  };
}

// A driver's message may show the password of a connection string without the rest of it.
function passwordIn(text: string): string[] | null {
  if (!text.includes('://')) return null;
  const raw = /:\/\/[^/?#]*?:([^@/]*)@/.exec(text)?.[1];
  if (raw === undefined || raw === '') return null;
  try {
    return [raw, decodeURIComponent(raw)];
  } catch {
    return [raw];
  }
}
