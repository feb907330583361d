// Go's time layouts, cut into parts once. A layout shows how the reference time Mon Jan 2 15:04:05 MST 2006 would look; the longest
// token that begins at a place counts, and everything else is literal. Names like `RFC3339` are not layouts but literals.

export type TokenKind =
  | 'January'
  | 'Jan'
  | 'Monday'
  | 'Mon'
  | 'MST'
  | '01'
  | '02'
  | '03'
  | '04'
  | '05'
  | '06'
  | '002'
  | '__2'
  | '1'
  | '15'
  | '2006'
  | '2'
  | '_2'
  | '3'
  | '4'
  | '5'
  | 'PM'
  | 'pm'
  | 'offset'
  | 'fraction0'
  | 'fraction9'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** The literal text before it. */
  readonly literal: string;
  /** As it stands in the layout; empty for the end. */
  readonly text: string;
}

const OFFSETS: Readonly<Record<string, readonly string[]>> = {
  '-': ['-070000', '-07:00:00', '-0700', '-07:00', '-07'],
  Z: ['Z070000', 'Z07:00:00', 'Z0700', 'Z07:00', 'Z07'],
};

const known = new Map<string, readonly Token[]>();

/** The last token is always `end`. */
export function layoutOf(layout: string): readonly Token[] {
  const cached = known.get(layout);
  if (cached !== undefined) return cached;
  const tokens: Token[] = [];
  let from = 0;
  for (let at = 0; at < layout.length; ) {
    const token = tokenAt(layout, at);
    if (token === null) {
      at++;
      continue;
    }
    const [kind, text] = token;
    tokens.push({ kind, text, literal: layout.slice(from, at) });
    at += text.length;
    from = at;
  }
  tokens.push({ kind: 'end', text: '', literal: layout.slice(from) });
  if (known.size < 1000) known.set(layout, tokens); // layouts come from specs: a few
  return tokens;
}

type Found = readonly [kind: TokenKind, text: string] | null;

function tokenAt(layout: string, at: number): Found {
  const is = (text: string): boolean => layout.startsWith(text, at);
  const same = (...kinds: readonly TokenKind[]): Found => {
    const kind = kinds.find(is);
    return kind === undefined ? null : [kind, kind];
  };
  switch (layout[at]) {
    case 'J':
      return same('January') ?? (isWord(layout, at + 3) ? null : same('Jan'));
    case 'M':
      return same('Monday') ?? (isWord(layout, at + 3) ? null : same('Mon')) ?? same('MST');
    case '0':
      return same('01', '02', '03', '04', '05', '06', '002');
    case '1':
      return same('15', '1');
    case '2':
      return same('2006', '2');
    case '_':
      if (is('_2006')) return null; // a literal _ before the year
      return same('_2', '__2');
    case '3':
    case '4':
    case '5':
      return same('3', '4', '5');
    case 'P':
    case 'p':
      return same('PM', 'pm');
    case '-':
    case 'Z': {
      const text = OFFSETS[layout[at]!]!.find(is);
      return text === undefined ? null : ['offset', text];
    }
    case '.':
    case ',':
      return fractionAt(layout, at);
    default:
      return null;
  }
}

/** `Month` is no `Mon`. */
const isWord = (layout: string, at: number): boolean => /^[a-z]/.test(layout.slice(at, at + 1));

function fractionAt(layout: string, at: number): Found {
  const digits = /^(0+|9+)(?![0-9])/.exec(layout.slice(at + 1))?.[0];
  if (digits === undefined) return null;
  return [digits[0] === '0' ? 'fraction0' : 'fraction9', layout[at] + digits];
}
