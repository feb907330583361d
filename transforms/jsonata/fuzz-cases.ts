// Expressions and documents for fuzzing, made from a seed: the same seed gives the same ones. Expressions use all of the language
// on a small set of names, so that most of them meet data; documents keep to a shape and break it now and then.
// Rare constructs come from templates (fuzz-templates.ts). Not used by anything but tests.

import { HOLES, TEMPLATES } from './fuzz-templates.ts';

export type Random = () => number;

/** mulberry32 */
export function randomOf(start: number): Random {
  let seed = start | 0;
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

// ---- documents ----

export function documentOf(random: Random): unknown {
  const odd = random() < 0.5 ? 0 : random() * 0.3; // half of the documents keep to the shape
  const some = (good: () => unknown): unknown => (random() < odd ? oddValue(random) : good());
  const int = (): number => Math.floor(random() * 10) - 2;
  const items = Array.from({ length: Math.floor(random() * 5) }, () =>
    some(() => ({
      sku: some(() => pick(random, ['a1', 'b2', 'c3'])),
      price: some(() => Math.round(random() * 1000) / 100),
      qty: some(int),
      ...(random() < 0.5
        ? { tags: some(() => Array.from({ length: Math.floor(random() * 3) }, () => pick(random, WORDS))) }
        : {}),
    })),
  );
  const row: Record<string, unknown> = {
    id: some(int),
    name: some(() => pick(random, WORDS)),
    ok: some(() => random() < 0.5),
    items: some(() => items),
    address: some(() => ({
      city: some(() => pick(random, WORDS)),
      zip: some(() => `${int()}`),
      geo: { lat: some(int) },
    })),
    list: some(() => Array.from({ length: Math.floor(random() * 4) }, int)),
    nested: some(() => [[int(), int()], [], [{ price: int() }]]),
  };
  if (random() < 0.2) delete row[pick(random, Object.keys(row))];
  return random() < 0.05 ? [row, row['address']] : random() < 0.02 ? oddValue(random) : row;
}

const WORDS = ['', 'ada', 'Bob', 'x-y', '12', '3.5', 'grüß', 'a b c', '😀z'];

function oddValue(random: Random): unknown {
  return pick<unknown>(random, [
    null,
    true,
    false,
    '',
    'zz',
    0,
    -1.5,
    1e300,
    [],
    [[]],
    [1],
    ['a', 1],
    {},
    { price: 3 },
    [{ price: 1 }, { price: 2, qty: 2 }],
    [null],
    [[1, 2], [3]],
    { toString: 1, constructor: 'c', length: 4, '': 5 },
    { sequence: true, cons: true, keepSingleton: true },
    '2017-05-01T10:00:00Z',
  ]);
}

// ---- expressions ----

const NAMES = [
  'id',
  'name',
  'ok',
  'items',
  'address',
  'list',
  'nested',
  'price',
  'qty',
  'sku',
  'tags',
  'city',
  'zip',
  'geo',
];
const ODD_NAMES = ['missing', '`toString`', '`constructor`', '`a b`', 'length', 'sequence'];
const UNARY = [
  ...['sum', 'count', 'max', 'min', 'average', 'string', 'number', 'uppercase', 'lowercase', 'length', 'trim', 'floor'],
  ...[
    'ceil',
    'abs',
    'round',
    'boolean',
    'not',
    'exists',
    'keys',
    'spread',
    'merge',
    'reverse',
    'distinct',
    'type',
    'sort',
  ],
  ...['sqrt', 'join', 'zip', 'base64encode', 'encodeUrlComponent', 'clone', 'fromMillis', 'single'],
];
const BINARY = [
  ...[
    'append',
    'join',
    'split',
    'contains',
    'substringBefore',
    'substringAfter',
    'lookup',
    'power',
    'round',
    'zip',
    'substring',
  ],
  ...['formatBase', 'pad', 'match', 'formatNumber', 'assert'],
];

/** An expression of about `size` nodes. */
export function expressionOf(random: Random, size: number): string {
  const scope: string[] = [];
  let fresh = 0;

  const literal = (): string =>
    pick(random, [
      '0',
      '1',
      '2',
      '-1',
      '1.5',
      '"a"',
      '""',
      '"ada"',
      'true',
      'false',
      'null',
      '[]',
      '{}',
      '"-"',
      '100',
      '"#0.00"',
    ]);
  const name = (): string => (random() < 0.93 ? pick(random, NAMES) : pick(random, ODD_NAMES));
  const variable = (): string =>
    scope.length > 0 && random() < 0.9 ? `$${pick(random, scope)}` : pick(random, ['$', '$$', '$unknown', '$event']);
  const half = (n: number): number => Math.max(0, Math.floor((n - 1) * random()));

  function predicate(n: number): string {
    switch (Math.floor(random() * 7)) {
      case 0:
        return `[${Math.floor(random() * 4) - 2}]`;
      case 1:
        return '[]';
      case 2:
        return `[[${Math.floor(random() * 3)}, -1]]`;
      case 3:
        return `[${Math.floor(random() * 2)}..${Math.floor(random() * 3)}]`;
      case 4:
        return `[${expression(n)}]`;
      default:
        return `[${name()} ${pick(random, ['>', '<', '=', '!=', '>=', 'in'])} ${random() < 0.7 ? literal() : expression(n)}]`;
    }
  }
  function stepOf(n: number): string {
    const kind = random();
    if (kind < 0.75) return name() + (random() < 0.25 ? predicate(half(n)) : '');
    if (kind < 0.8) return '*';
    if (kind < 0.83) return '**';
    if (kind < 0.88) return `(${expression(half(n))})`;
    if (kind < 0.92) return objectOf(n);
    if (kind < 0.95) return `[${expression(half(n))}]`;
    return `$${pick(random, ['string', 'uppercase', 'count', 'keys', 'number'])}(${random() < 0.5 ? name() : ''})`;
  }
  function pathOf(n: number): string {
    let out = random() < 0.15 ? variable() : random() < 0.1 ? `(${expression(half(n))})` : name();
    if (random() < 0.2) out += predicate(half(n));
    for (let left = Math.floor(random() * 3); left > 0; left--) out += `.${stepOf(n)}`;
    if (random() < 0.08)
      out += `^(${random() < 0.5 ? pick(random, ['<', '>']) : ''}${random() < 0.8 ? name() : expression(half(n))})`;
    if (random() < 0.06) out += `{${random() < 0.6 ? 'sku' : expression(half(n))}: ${expression(half(n))}}`;
    if (random() < 0.04) {
      // variables along a path
      const own = `v${fresh++}`;
      const bound = pick(random, ['items', 'list', 'items.tags']) + pick(random, ['@', '#']) + `$${own}`;
      out = `${bound}${random() < 0.3 ? predicate(half(n)) : ''}.${within([own], () => (random() < 0.5 ? objectOf(n) : `(${expression(half(n))})`))}`;
    }
    if (random() < 0.02)
      out = `items.${pick(random, ['tags', 'price'])}.{ "up": %.${name()}, "v": ${expression(half(n))} }`;
    return out;
  }
  function objectOf(n: number): string {
    const pairs = Array.from({ length: Math.floor(random() * 4) }, (_, i) => {
      const key = random() < 0.85 ? `"k${i}"` : random() < 0.5 ? expression(half(n)) : '"k0"';
      return `${key}: ${expression(Math.floor(n / 3))}`;
    });
    return `{${pairs.join(', ')}}`;
  }
  function within<T>(names: readonly string[], make: () => T): T {
    scope.push(...names);
    try {
      return make();
    } finally {
      scope.length -= names.length;
    }
  }
  function lambda(n: number, most: number): string {
    const names = Array.from({ length: 1 + Math.floor(random() * most) }, () => `v${fresh++}`);
    const signature = random() < 0.04 ? pick(random, ['<x:x>', '<n-:n>', '<s:s>', '<a:x>']) : '';
    const params = signature === '' ? names : names.slice(0, 1);
    return `function(${params.map((one) => `$${one}`).join(', ')})${signature}{ ${within(params, () => (random() < 0.8 ? expression(half(n)) : tailOf(half(n))))} }`;
  }
  /** What a lambda may end in besides: a call that is piped into, kept, filtered or grouped, and `$sort` with a function. */
  function tailOf(n: number): string {
    const kind = random();
    if (kind < 0.35)
      return `${expression(half(n))} ~> $${pick(random, ['map', 'filter', 'map'])}(${random() < 0.8 ? lambda(half(n), 2) : '$spread'})`;
    if (kind < 0.5) return `$sort(${expression(half(n))}, ${lambda(half(n), 2)})`;
    const call = callOf(half(n));
    if (kind < 0.6) return `(${expression(half(n))}; ${call})`;
    if (kind < 0.7) return `(${expression(half(n))} ? ${call} : (${expression(half(n))}))`;
    if (kind < 0.75) return `(${call}){"k": ${expression(half(n))}}`;
    return `(${call})${pick(random, ['[]', '[0]', '[-1]', '[1]', '[true]'])}`;
  }
  function blockOf(n: number): string {
    const own: string[] = [];
    const parts = Array.from({ length: 1 + Math.floor(random() * 2) }, () => {
      const one = random() < 0.2 && scope.length > 0 ? pick(random, scope) : `v${fresh++}`;
      const value = random() < 0.2 ? lambda(n, 2) : expression(half(n));
      scope.push(one);
      own.push(one);
      return `$${one} := ${value}`;
    });
    const result = expression(half(n));
    scope.length -= own.length;
    return `(${[...parts, result].join('; ')})`;
  }
  function callOf(n: number): string {
    const kind = random();
    const arg = (): string => expression(half(n));
    if (kind < 0.4) return `$${pick(random, UNARY)}(${random() < 0.93 ? arg() : ''})`;
    if (kind < 0.62) return `$${pick(random, BINARY)}(${arg()}, ${random() < 0.5 ? literal() : arg()})`;
    if (kind < 0.84) {
      const f = random() < 0.85 ? lambda(n, 3) : `$${pick(random, ['string', 'uppercase', 'sum', 'not', 'count'])}`;
      return `$${pick(random, ['map', 'filter', 'sift', 'each', 'sort', 'single', 'map', 'filter'])}(${arg()}, ${f})`;
    }
    if (kind < 0.9) return `$reduce(${arg()}, ${lambda(n, 3)}${random() < 0.5 ? `, ${literal()}` : ''})`;
    if (kind < 0.94)
      return `$${pick(random, ['contains', 'match', 'replace', 'split'])}(${arg()}, /${pick(random, ['a', '[a-c]+', '(\\d)', 'x?y'])}/${random() < 0.3 ? 'i' : ''}${random() < 0.4 ? ', "z"' : ''})`;
    if (kind < 0.95)
      return `$map(${arg()}, $${pick(random, ['append', 'substring', 'power'])}(${pick(random, ['?, 1', '1, ?', '?, ?'])}))`;
    if (scope.length > 0) return `$${pick(random, scope)}(${arg()})`;
    return `(${lambda(n, 1)})(${arg()})`;
  }
  /** A template with its holes filled. */
  function rareOf(n: number): string {
    const own = `v${fresh++}`;
    return pick(random, TEMPLATES).replaceAll(/<(\w+)>/g, (hole, kind: string) => {
      if (Object.hasOwn(HOLES, kind)) return pick(random, HOLES[kind]!);
      const fill: Record<string, () => string> = {
        e: () => expression(Math.floor(half(n) / 2)),
        n: name,
        p: () => pathOf(Math.floor(half(n) / 2)),
        f: () => lambda(half(n), 1),
        f2: () => lambda(half(n), 2),
        x: () => own,
      };
      return Object.hasOwn(fill, kind) ? fill[kind]!() : hole; // `<n?s?:s>` is a signature
    });
  }
  function expression(n: number): string {
    if (n > 0 && random() < 0.12) return `(${rareOf(n)})`;
    if (n <= 0) return random() < 0.6 ? name() : random() < 0.6 ? literal() : variable();
    const kind = random();
    const part = (): string => expression(half(n));
    if (kind < 0.34) return pathOf(n);
    if (kind < 0.42) return `${part()} ${pick(random, ['+', '-', '*', '/', '%'])} ${part()}`;
    if (kind < 0.48) return `${part()} ${pick(random, ['=', '!=', '<', '<=', '>', '>=', 'in'])} ${part()}`;
    if (kind < 0.52) return `(${part()} ${pick(random, ['and', 'or'])} ${part()})`;
    if (kind < 0.56) return `${part()} & ${part()}`;
    if (kind < 0.72) return callOf(n);
    if (kind < 0.8) return objectOf(n);
    if (kind < 0.85) return `[${Array.from({ length: Math.floor(random() * 4) }, part).join(', ')}]`;
    if (kind < 0.9) return `(${part()} ? ${part()}${random() < 0.8 ? ` : ${part()}` : ''})`;
    if (kind < 0.95) return blockOf(n);
    if (kind < 0.97)
      return `(${part()} ~> $${pick(random, ['sum', 'string', 'uppercase', 'count', 'keys', 'reverse'])}${random() < 0.5 ? '()' : ''})`;
    if (kind < 0.975)
      return `(${part()} ~> |${pick(random, ['$', 'items', 'address', '**'])}|{"t": ${part()}}${random() < 0.4 ? ', "name"' : ''}|)`;
    if (kind < 0.985) return `(${part()} ${pick(random, ['??', '?:'])} ${part()})`;
    if (kind < 0.99) return `-${pathOf(n)}`;
    return `[${Math.floor(random() * 3)}..${random() < 0.7 ? String(Math.floor(random() * 6)) : name()}]`;
  }
  return random() < 0.3 ? rareOf(size) : expression(size);
}
