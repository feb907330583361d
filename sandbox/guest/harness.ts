// The loop inside an isolate: takes a slice of events as one text, calls the program for each of them, and gives one answer
// per event as text. An error of the author's code is rendered here, inside the timed call, because a hostile error
// object runs code when it is read. The function is sent to the isolate as text and may use nothing from outside.
// Guarantee: what was answered before a time-out is kept, and progress[0] says which event was running.
// Guarantee: the clock, the dice and the log are always the running event's own. Within a call of several events that is known
// only while the function runs; a microtask may as well be one that an earlier event left behind. When one asks, the call is
// void and done again with a call for each event, which ends only after all of its microtasks.
// Long because it is sent as one function, whose parts share what the author's code must not reach.

import type { Realm } from './realm.ts';

/** What a program's guest script sees: never reachable from the author's code. */
export interface GuestHost {
  /** Makes the error that says why an event fails, other than by a throw of the author's code. */
  refuse(why: string, message: string, more?: RefusalDetails): Error;
  /** Asks for the heads of events (id, time, envelope). False: this run is void, and is done again with heads. */
  needHeads(): boolean;
  /** Whether a text is JSON that holds an empty object, or one whose first key is 0. */
  hasOddObject(text: string): boolean;
  /** A line of the running event. */
  log(level: string, args: readonly unknown[]): void;
  /** Throws the running event's dice from the start again. */
  reseed(): void;
  /** Counts the running event as one that left its program's fast way. To be called before the first await. */
  deopt(): void;
}

export interface RefusalDetails {
  /** Module, line and column. */
  readonly place?: readonly [number, number, number];
  /** The code that the error has in the program's own language. */
  readonly code?: string;
}

/** One event, from its texts: null is filtered, a text is one output, several are a fan-out. */
export type GuestRun = (
  main: string | null,
  second: string | null,
  head: string | null,
) => null | string | string[] | Promise<null | string | string[]>;

/** What a program's guest script evaluates to. */
export type GuestProgram = (text: string, host: GuestHost) => GuestRun;

export interface HarnessLimits {
  readonly timeout: number;
  readonly output: number;
  readonly fan_out: number;
  readonly logs: number;
  readonly depth: number;
}

/** Called by the child through references; strings and numbers only. */
export interface Harness {
  /** Evaluates the guest of the program that will be loaded. */
  prepare(guest: string): string;
  load(guest: string, text: string): string;
  /** `slice`: the texts from here on; empty: those of the last call. */
  go(from: number, to: number, slice: string): string;
  collect(): string;
  /** Answers that are ready, with their log lines. With `upto`: only the lines, of the events below it; no answer is kept. */
  take(upto: number): string;
}

export function harness(realm: Realm, progress: Int32Array, limits: HarnessLimits): Harness {
  const parse = JSON.parse;
  const stringify = JSON.stringify;
  // biome-ignore lint/security/noGlobalEval: running text is what an isolate is for
  const evaluate = eval;
  const { realNow } = realm;
  // What runs for each event is taken from the frozen realm once: there, a look-up of a method is a slow one each time.
  const { isArray } = Array;
  const Ints = Int32Array;
  const call = Function.prototype.call;
  const indexOf = call.bind(String.prototype.indexOf) as (text: string, part: string, from?: number) => number;
  const codeAt = call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;
  const join = call.bind(Array.prototype.join) as (texts: readonly string[], by: string) => string;
  const cut = call.bind(String.prototype.slice) as (text: string, from: number, to?: number) => string;
  const List = Array;
  const fill = call.bind(Array.prototype.fill) as (texts: string[], by: string) => string[];
  // In the frozen realm an array grows slowly, element by element.
  const blank = (count: number): string[] => fill(new List<string>(count), '');
  const AT = 0;
  const STATE = 1; // 0 running, 1 stopped at an event's border, 2 waits for a promise, 3 the call is void
  const VOID = 2; // the call is void: what its next run needs
  const NEEDS_HEADS = 1;
  const NEEDS_APART = 2; // a call for each event
  const LATE = 3; // 1: there are log lines that were written after the answers were taken
  const HALF = limits.timeout / 2;
  const most = limits.depth;
  const BIG = 4 << 20; // answers beyond this are handed over before the next event

  let program: GuestProgram | undefined;
  let run: GuestRun | undefined;
  let body = '';
  let starts: Int32Array | number[] = [];
  let lengths: Int32Array | number[] = [];
  let parts = 1;
  let times: number[] | null = null;
  let ids: string[] | null = null;

  let first = 0;
  let end = 0;
  let at = 0;
  let started = 0;
  let answered = 0;
  let statuses: string[] = []; // one character each; those from `answered` on do not count
  let lines: string[] = [];
  let size = 0;
  let token: object | null = null;
  let running = 0; // the event whose clock, dice and log these are; `at` has moved on as soon as it is answered
  let apart = false; // it has the call to itself
  let sync = false; // its function has not returned yet: no microtask can be at work

  interface Entry {
    readonly index: number;
    /** Empty: lines that were dropped. */
    readonly text: string;
    dropped: number;
  }
  let entries: Entry[] = [];
  let loggedFor = -1; // the event that `logged` counts for
  let logged = 0;

  class Refusal extends Error {
    why: string;
    more: RefusalDetails;
    constructor(why: string, message: string, more: RefusalDetails = {}) {
      super(message);
      this.why = why;
      this.more = more;
    }
  }

  const needHeads = (): boolean => {
    if (ids !== null) return true;
    progress[VOID] = progress[VOID]! | NEEDS_HEADS;
    return false;
  };
  const isVoid = (): boolean => progress[VOID] !== 0;

  // Whether what asks is the running event for sure.
  const own = (): boolean => {
    if (sync || apart) return true;
    progress[VOID] = progress[VOID]! | NEEDS_APART;
    return false;
  };

  realm.setClock(() => (own() && needHeads() ? (times![running] ?? 0) : 0));

  // mulberry32, seeded by the event's id, so that the same event always throws the same dice
  let seededFor = -1;
  let seed = 0;
  realm.setRandom(() => {
    if (!own() || !needHeads()) return 0;
    if (seededFor !== running) {
      seededFor = running;
      seed = 0x811c9dc5;
      const id = ids![running] ?? '';
      for (let i = 0; i < id.length; i++) seed = Math.imul(seed ^ id.charCodeAt(i), 0x01000193);
    }
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  });

  const show = (value: unknown): string => {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (typeof value === 'object' && value !== null) return stringify(value) ?? String(value);
    return typeof value === 'function' ? `[function ${value.name}]` : String(value);
  };

  // [module, line, column] of the first frame that is the author's, from a stack's text.
  const placeIn = (stack: unknown): [number, number, number] | null => {
    const found = typeof stack === 'string' ? /sluice-module:(\d+):(\d+):(\d+)/.exec(stack) : null;
    return found === null ? null : [Number(found[1]), Number(found[2]), Number(found[3])];
  };

  const drop = (): void => {
    const last = entries[entries.length - 1];
    if (last !== undefined && last.index === running && last.text === '') last.dropped++;
    else entries[entries.length] = { index: running, text: '', dropped: 1 };
  };

  const log = (level: string, args: readonly unknown[]): void => {
    if (!own()) return;
    if (loggedFor !== running) {
      loggedFor = running;
      logged = 0;
    }
    progress[LATE] = 1;
    if (logged >= limits.logs) {
      drop();
      return;
    }
    let text: string;
    try {
      text = args.map(show).join(' ');
    } catch {
      text = '(a value that cannot be shown)';
    }
    const room = limits.logs - logged;
    const tooLong = text.length > room;
    if (tooLong) text = `${text.slice(0, room)}…`;
    logged += text.length + 16;
    size += text.length;
    const line = stringify([running, level, placeIn(new Error().stack), text]);
    entries[entries.length] = { index: running, text: line, dropped: 0 };
    if (tooLong) drop();
  };
  realm.setConsole(log);

  const render = (thrown: unknown): string => {
    try {
      if (thrown instanceof Refusal) {
        return stringify({ why: thrown.why, message: thrown.message.slice(0, 2000), ...thrown.more });
      }
      if (thrown instanceof Error) {
        const name = String(thrown.name).slice(0, 200);
        const message = String(thrown.message).slice(0, 2000);
        const place = placeIn(String(thrown.stack).slice(0, 8000));
        return stringify({ why: 'runtime', message: message === '' ? name : `${name}: ${message}`, place });
      }
      return stringify({ why: 'runtime', message: `thrown: ${show(thrown).slice(0, 2000)}` });
    } catch {
      return stringify({ why: 'runtime', message: 'the code threw something that cannot be shown' });
    }
  };

  const bytesOf = (text: string): number => {
    // nearly always the length alone decides: a unit of UTF-16 is one to three bytes of UTF-8
    if (text.length * 3 <= limits.output || text.length > limits.output) return text.length;
    let bytes = text.length;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c > 0x7f) bytes += c > 0x7ff && (c < 0xd800 || c > 0xdfff) ? 2 : 1;
    }
    return bytes;
  };

  // What one walk from bracket to bracket tells of a text, kept for whoever asks next: a result is asked about twice.
  let walked: string | null = null;
  let openers = 0;
  let oddObject = false;
  const walk = (text: string): void => {
    if (text === walked) return;
    walked = text;
    openers = 0;
    oddObject = false;
    for (let i = indexOf(text, '{', 0); i >= 0; i = indexOf(text, '{', i + 1)) {
      openers++;
      const next = codeAt(text, i + 1);
      if (next === 125 || (next === 34 && codeAt(text, i + 2) === 48 && codeAt(text, i + 3) === 34)) oddObject = true;
    }
  };
  const hasOddObject = (text: string): boolean => {
    walk(text);
    return oddObject;
  };

  // Counts opening brackets first: text that has few cannot be deep, and that is nearly all text.
  const tooDeep = (text: string): boolean => {
    walk(text);
    let all = openers;
    for (let i = indexOf(text, '[', 0); i >= 0 && all <= most; i = indexOf(text, '[', i + 1)) all++;
    if (all <= most) return false;
    let depth = 0;
    let inString = false;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (inString) {
        if (c === 92) i++;
        else if (c === 34) inString = false;
      } else if (c === 34) inString = true;
      else if (c === 123 || c === 91) {
        if (++depth > most) return true;
      } else if (c === 125 || c === 93) depth--;
    }
    return false;
  };

  const DEEP_IN = `the event is nested deeper than ${limits.depth} levels (limits.depth)`;
  const DEEP_OUT = `the result is nested deeper than ${limits.depth} levels (limits.depth)`;

  const answer = (status: string, line: string): void => {
    lines[answered] = line;
    statuses[answered] = status;
    size += line.length;
    answered++; // last: cut off before this, it is no answer
    at++;
  };

  // `before`: the bytes of the results before it.
  const refusalOf = (text: string, before: number): Refusal | null => {
    if (before + bytesOf(text) > limits.output) {
      return new Refusal('output', `the result has more than ${limits.output} bytes (limits.output)`);
    }
    return tooDeep(text) ? new Refusal('depth', DEEP_OUT) : null;
  };

  const refusalOfAll = (texts: readonly string[]): Refusal | null => {
    if (texts.length > limits.fan_out) {
      return new Refusal(
        'fan_out',
        `the function gave ${texts.length} results, and limits.fan_out is ${limits.fan_out}`,
      );
    }
    let bytes = 0;
    for (const text of texts) {
      const refusal = refusalOf(text, bytes);
      if (refusal !== null) return refusal;
      bytes += bytesOf(text);
    }
    return null;
  };

  const settle = (result: null | string | string[]): void => {
    if (isVoid()) return;
    const refusal = result === null ? null : typeof result === 'string' ? refusalOf(result, 0) : refusalOfAll(result);
    if (refusal !== null) fail(refusal);
    else if (result === null || result.length === 0) answer('2', '');
    else if (typeof result === 'string') answer('0', result);
    else answer('3', result.join('\x1e'));
  };

  const fail = (thrown: unknown): void => {
    if (isVoid()) return;
    const text = render(thrown); // may run the author's code
    if (!isVoid()) answer('1', text);
  };

  const cutLines = (count: number): void => {
    parts = 1;
    times = null;
    ids = null;
    starts = new Ints(count);
    lengths = new Ints(count);
    for (let i = 0, start = 0; i < count; i++) {
      const end = indexOf(body, '\n', start);
      starts[i] = start;
      lengths[i] = end - start;
      start = end + 1;
    }
    entries = [];
  };

  const begin = (slice: string): void => {
    const end = slice.lastIndexOf('\n');
    const header = parse(slice.slice(end + 1)) as { n?: number; l: number[]; p: number; t?: number[]; i?: string[] };
    body = slice;
    if (header.n !== undefined) {
      cutLines(header.n);
      return;
    }
    lengths = header.l;
    parts = header.p;
    times = header.t ?? null;
    ids = header.i ?? null;
    starts = new Array(lengths.length);
    let offset = 0;
    for (let i = 0; i < lengths.length; i++) {
      starts[i] = offset;
      if (lengths[i]! > 0) offset += lengths[i]!;
    }
    entries = [];
  };

  const part = (i: number, p: number): string | null => {
    if (p >= parts) return null;
    const length = lengths[i * parts + p]!;
    if (length < 0) return null;
    const start = starts[i * parts + p]!;
    return cut(body, start, start + length);
  };

  // One event. False: a promise has to settle first.
  const one = (): boolean => {
    const main = part(at, 0);
    const second = part(at, 1);
    if ((main !== null && tooDeep(main)) || (second !== null && tooDeep(second))) {
      fail(new Refusal('depth', DEEP_IN));
      return true;
    }
    const mine = {};
    running = at;
    sync = true;
    try {
      const result = run!(main, second, part(at, 2));
      if (result === null || typeof result === 'string' || isArray(result)) {
        settle(result);
        return true;
      }
      token = mine;
      result.then(
        (value) => resume(mine, () => settle(value)),
        (thrown) => resume(mine, () => fail(thrown)),
      );
      return false;
    } catch (thrown) {
      fail(thrown);
      return true;
    } finally {
      sync = false;
    }
  };

  const resume = (mine: object, finish: () => void): void => {
    if (token !== mine) return;
    token = null;
    finish();
    loop();
  };

  const loop = (): void => {
    while (at < end) {
      if (isVoid()) {
        progress[STATE] = 3;
        return;
      }
      progress[AT] = at;
      progress[STATE] = 0;
      if (!one()) {
        progress[STATE] = 2;
        return;
      }
      // An event that starts in the first half of the time has at least the other half before it is cut off. (Looked at now and
      // then: one that is cut off because of that has a call of its own.)
      if ((at & 7) === 0 && realNow() - started > HALF) break;
      if (size > BIG) break;
    }
    progress[AT] = at;
    progress[STATE] = isVoid() ? 3 : 1;
  };

  const take = (upto = -1): string => {
    const count = upto >= 0 ? 0 : answered;
    statuses.length = count;
    lines.length = count;
    let text = count === 0 ? '' : `${join(statuses, '')}\n${join(lines, '\n')}`;
    const limit = upto < 0 ? first + count : upto;
    for (const entry of entries) {
      if (entry.index < limit) text += `\n${entry.text === '' ? entry.dropped : entry.text}`;
    }
    entries = entries.filter((entry) => entry.index >= limit);
    progress[LATE] = 0;
    answered = 0;
    statuses = []; // the next call has its own
    lines = [];
    size = 0;
    first += count;
    return text;
  };

  const host: GuestHost = {
    refuse: (why, message, more) => new Refusal(why, message, more),
    needHeads,
    hasOddObject,
    log,
    reseed() {
      seededFor = -1;
    },
    deopt() {
      if (own())
        entries[entries.length] = { index: running, text: stringify([running, 'deopt', null, '']), dropped: 0 };
    },
  };

  const loading = (step: () => void): string => {
    ids = ['']; // while it loads, the clock stands at 0 and the dice have one seed
    times = [0];
    running = 0;
    sync = true;
    try {
      step();
      return '';
    } catch (thrown) {
      return render(thrown);
    } finally {
      sync = false;
      ids = null;
      times = null;
    }
  };

  return {
    prepare: (guest) =>
      loading(() => {
        program = evaluate(guest) as GuestProgram;
      }),
    load: (guest, text) =>
      loading(() => {
        program ??= evaluate(guest) as GuestProgram;
        run = program(text, host);
      }),
    go(from, to, slice) {
      if (slice !== '') begin(slice);
      first = from;
      at = from;
      end = to;
      apart = to - from === 1;
      answered = 0;
      statuses = blank(to - from);
      lines = blank(to - from);
      size = 0;
      token = null;
      seededFor = -1;
      loggedFor = -1;
      entries = entries.filter((entry) => entry.index < from);
      progress[VOID] = 0;
      progress[LATE] = 0;
      started = realNow();
      loop();
      if (progress[STATE] === 2) return '?';
      return take();
    },
    collect() {
      // the microtasks of the last call have run: a promise that is still open will never settle
      if (token !== null) {
        token = null;
        started = realNow();
        fail(new Refusal('output', 'the function gave a promise that never settles'));
        loop();
        if (progress[STATE] === 2) return '?';
      }
      return take();
    },
    take,
  };
}
