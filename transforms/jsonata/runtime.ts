// What compiled expressions call: the reference's own evaluation of paths, filters, groups, calls and operators, with the
// parts as functions instead of trees, and quick ways for the values that are common. Whatever is not quick goes into the
// library's own functions, so that their errors and corner cases are the reference's.
// Guarantee: gives what the reference gives or throws what it throws, or throws `deopt`; never changes its input.
// Sent to the isolate as text, so it uses nothing from outside of its body, and is long because of that. The comments name the
// reference's functions.

/** A function of JSONata's: a definition of the library's. */
export interface Definition {
  readonly _jsonata_function: true;
  readonly implementation: (...args: unknown[]) => unknown;
  readonly signature?: Signature;
  token?: unknown;
  position?: unknown;
}

export interface Signature {
  validate(args: readonly unknown[], context: unknown): unknown[];
}

/** A lambda that was compiled. `raw` may give a Tail, the function itself never does. */
export interface Compiled {
  (...args: unknown[]): unknown;
  arity?: number;
  sig?: Signature;
  raw?: (...args: unknown[]) => unknown;
  /** While errors get their places: it stands for a lambda, which the reference remembers the place of its last call in. */
  named?: true;
  token?: unknown;
  position?: unknown;
}

interface Frame {
  base: Frame;
  timestamp: unknown;
  options: undefined;
  createSequence: (...items: unknown[]) => unknown[];
  RegexEngine: typeof RegExp;
  depth: number;
  guardrails: () => void;
  lookup(name: string): unknown;
  bind(name: string, value: unknown): void;
}

type Fn = (...args: never[]) => unknown;

/** The library's insides, as library.ts hands them out. */
export interface Library {
  readonly createFrame: (outer: unknown) => Frame;
  readonly staticFrame: Frame;
  readonly populateMessage: (error: object) => void;
  readonly defineFunction: (f: Fn, signature?: string) => Definition;
  readonly parseSignature: (signature: string) => Signature;
  readonly boolize: (value: unknown) => boolean;
  readonly evaluateNumericExpression: (l: unknown, r: unknown, op: string) => unknown;
  readonly evaluateComparisonExpression: (l: unknown, r: unknown, op: string) => unknown;
  readonly evaluateStringConcat: (l: unknown, r: unknown) => string;
  readonly evaluateRangeExpression: (l: unknown, r: unknown, frame: Frame) => unknown;
  readonly evaluateWildcard: (node: null, input: unknown, frame: Frame) => unknown;
  readonly evaluateDescendants: (node: null, input: unknown, frame: Frame) => unknown;
  readonly evaluateRegex: (node: { value: RegExp; position: unknown }, input: null, frame: Frame) => unknown;
  readonly datetime: { readonly fromMillis: Fn };
  readonly fn: Readonly<Record<string, (this: unknown, ...args: unknown[]) => unknown>>;
  readonly utils: {
    readonly isDeepEqual: (l: unknown, r: unknown) => boolean;
    readonly isArrayOfNumbers: (value: unknown) => boolean;
    readonly isArrayOfStrings: (value: unknown) => boolean;
    readonly isFunction: (value: unknown) => boolean;
    readonly getFunctionArity: (f: unknown) => number;
    readonly isIterable: (value: unknown) => boolean;
  };
}

/** An error as the library throws it. */
interface Coded {
  readonly code?: unknown;
  readonly position?: unknown;
  readonly token?: unknown;
  readonly value?: unknown;
  readonly value2?: unknown;
}

type Step = (item: unknown) => unknown;
type Seq = unknown[] & { sequence?: true; keepSingleton?: true; cons?: true; tupleStream?: true; outerWrapper?: true };
type Key = (item: unknown) => unknown;

/** Arguments of a call that are not evaluated yet, and its place. */
interface Late {
  readonly args: () => unknown[];
  readonly position: unknown;
  readonly token: unknown;
}

export function runtime(lib: Library) {
  const { isArray } = Array;
  const { floor } = Math;
  const { fn, utils } = lib;
  const { isFunction } = utils;

  /** Thrown for an event whose answer is not proved equal here. */
  const deopt = { deopt: true };
  /** The value of a variable that is not assigned. */
  const U = { unassigned: true };

  const seq = (...items: unknown[]): Seq => {
    const out = items as Seq;
    out.sequence = true;
    return out;
  };
  /** While an event that failed runs once more: errors then get the places that the reference gives them. */
  let exact = false;
  const exactly = (run: () => unknown): unknown => {
    exact = true;
    try {
      return run();
    } finally {
      exact = false;
    }
  };
  const frame = lib.createFrame(lib.staticFrame);
  frame.base = frame;
  frame.options = undefined;
  frame.createSequence = seq;
  frame.RegexEngine = RegExp;
  frame.depth = 0;
  frame.guardrails = () => {};

  // ---- values ----

  const isSeq = (value: unknown): value is Seq =>
    typeof value === 'object' && value !== null && (value as Seq).sequence === true && isArray(value);

  /** The end of the reference's evaluate(): a sequence of none is nothing, of one is its item. */
  const norm = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || (value as Seq).sequence !== true || !isArray(value))
      return value;
    const { length } = value;
    if (length > 1 || (value as Seq).tupleStream) return value;
    return length === 0 ? undefined : (value as Seq).keepSingleton ? value : (value[0] as unknown);
  };
  /** The same for a node that keeps arrays (`[]`). */
  const normKeep = (value: unknown): unknown => {
    if (isSeq(value)) {
      if (value.tupleStream) return value;
      value.keepSingleton = true;
      return value.length === 0 ? undefined : value;
    }
    return value;
  };

  const truthy = (value: unknown): boolean =>
    value === true || (value !== false && value !== undefined && fn['boolean']!(value) === true);

  /** An operator puts its place onto what it throws. */
  const at = (thrown: unknown, position: unknown, token: unknown): unknown => {
    if (thrown === deopt) return thrown;
    (thrown as { position: unknown }).position = position;
    (thrown as { token: unknown }).token = token;
    return thrown;
  };
  /** The right side of `and` and `or`: the reference puts the operator's place onto whatever fails there. */
  const sided = (right: () => unknown, position: unknown, token: unknown): unknown => {
    try {
      return right();
    } catch (thrown) {
      throw at(thrown, position, token);
    }
  };

  // ---- operators ----

  const numeric = (op: string, l: unknown, r: unknown, position: unknown): unknown => {
    try {
      return lib.evaluateNumericExpression(l, r, op);
    } catch (thrown) {
      throw at(thrown, position, op);
    }
  };
  // x - x is 0 for finite numbers only
  const finite = (l: unknown, r: unknown): boolean =>
    typeof l === 'number' && typeof r === 'number' && l - l === 0 && r - r === 0;
  const add = (l: unknown, r: unknown, p: unknown): unknown =>
    finite(l, r) ? (l as number) + (r as number) : numeric('+', l, r, p);
  const sub = (l: unknown, r: unknown, p: unknown): unknown =>
    finite(l, r) ? (l as number) - (r as number) : numeric('-', l, r, p);
  const mul = (l: unknown, r: unknown, p: unknown): unknown =>
    finite(l, r) ? (l as number) * (r as number) : numeric('*', l, r, p);
  const div = (l: unknown, r: unknown, p: unknown): unknown =>
    finite(l, r) ? (l as number) / (r as number) : numeric('/', l, r, p);
  const mod = (l: unknown, r: unknown, p: unknown): unknown =>
    finite(l, r) ? (l as number) % (r as number) : numeric('%', l, r, p);

  const compare = (op: string, l: unknown, r: unknown, position: unknown): unknown => {
    try {
      return lib.evaluateComparisonExpression(l, r, op);
    } catch (thrown) {
      throw at(thrown, position, op);
    }
  };
  const alike = (l: unknown, r: unknown): boolean =>
    (typeof l === 'number' && typeof r === 'number') || (typeof l === 'string' && typeof r === 'string');
  const lt = (l: unknown, r: unknown, p: unknown): unknown =>
    alike(l, r) ? (l as number) < (r as number) : compare('<', l, r, p);
  const le = (l: unknown, r: unknown, p: unknown): unknown =>
    alike(l, r) ? (l as number) <= (r as number) : compare('<=', l, r, p);
  const gt = (l: unknown, r: unknown, p: unknown): unknown =>
    alike(l, r) ? (l as number) > (r as number) : compare('>', l, r, p);
  const ge = (l: unknown, r: unknown, p: unknown): unknown =>
    alike(l, r) ? (l as number) >= (r as number) : compare('>=', l, r, p);

  const eq = (l: unknown, r: unknown): boolean => {
    if (l === undefined || r === undefined) return false;
    if (l === r) return true;
    if (typeof l !== 'object' || typeof r !== 'object') {
      if (typeof l === 'function' || typeof r === 'function') throw deopt; // a lambda of the reference is an object
      return false;
    }
    return utils.isDeepEqual(l, r);
  };
  const ne = (l: unknown, r: unknown): boolean => l !== undefined && r !== undefined && !eq(l, r);

  const concat = (l: unknown, r: unknown, position: unknown): string => {
    if (typeof l === 'string' && typeof r === 'string') return l + r;
    try {
      return lib.evaluateStringConcat(l, r);
    } catch (thrown) {
      throw at(thrown, position, '&');
    }
  };
  const range = (l: unknown, r: unknown, position: unknown): unknown => {
    try {
      return lib.evaluateRangeExpression(l, r, frame);
    } catch (thrown) {
      throw at(thrown, position, '..');
    }
  };
  const within = (l: unknown, r: unknown): boolean => {
    if (l === undefined || r === undefined) return false;
    if (!isArray(r)) return r === l;
    for (let i = 0; i < r.length; i++) if (r[i] === l) return true;
    return false;
  };
  const minus = (value: unknown, position: unknown): unknown => {
    if (value === undefined) return undefined;
    if (typeof value === 'number') {
      if (value - value === 0) return -value;
      if (!Number.isNaN(value)) throw { code: 'D1001', value, stack: '' };
    }
    throw { code: 'D1002', position, token: '-', value, stack: '' };
  };

  // ---- paths ----

  /** A path's name step on an array: the reference's lookup(), which goes into arrays of arrays, then evaluate()'s end. */
  const lookArray = (items: readonly unknown[], key: string): unknown => {
    const out: Seq = [];
    gather(items, key, out);
    if (out.length === 1) return out[0];
    if (out.length === 0) return undefined;
    out.sequence = true;
    return out;
  };
  const gather = (items: readonly unknown[], key: string, out: unknown[]): void => {
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      if (typeof item !== 'object' || item === null) continue;
      if (isArray(item)) {
        gather(item, key, out);
        continue;
      }
      const value = own(item, key);
      if (value === undefined) continue;
      if (isArray(value)) for (let k = 0; k < value.length; k++) out.push(value[k]);
      else out.push(value);
    }
  };
  const has = Object.prototype.hasOwnProperty;
  const own = (object: object, key: string): unknown =>
    has.call(object, key) && !isFunction(object) ? (object as Record<string, unknown>)[key] : undefined;
  /** A name step for keys that cannot be read with a dot. */
  const look = (value: unknown, key: string): unknown =>
    typeof value !== 'object' || value === null ? undefined : isArray(value) ? lookArray(value, key) : own(value, key);

  /** evaluateStep() over an array. `f` is evaluate() of the step and its stages, for one item. */
  const each = (items: readonly unknown[], f: Step, last: boolean): unknown[] => {
    const found: unknown[] = [];
    let arrays = false;
    for (let i = 0; i < items.length; i++) {
      const value = f(items[i]);
      if (value === undefined) continue;
      if (typeof value === 'object' && value !== null && isArray(value)) arrays = true;
      found.push(value);
    }
    if (!arrays) {
      (found as Seq).sequence = true;
      return found;
    }
    return flat(found, last);
  };
  const flat = (found: readonly unknown[], last: boolean): unknown[] => {
    if (last && found.length === 1 && isArray(found[0]) && !isSeq(found[0])) return found[0];
    const out: Seq = [];
    out.sequence = true;
    for (let i = 0; i < found.length; i++) {
      const value = found[i];
      if (!isArray(value) || (value as Seq).cons) out.push(value);
      else for (let k = 0; k < value.length; k++) out.push(value[k]);
    }
    return out;
  };

  /** What a path gives whose last step gave the array of its one item. */
  const lastArray = (value: unknown[]): unknown => (isSeq(value) ? norm(flat([value], true)) : value);

  /**
   * evaluatePath() and evaluate()'s end, for a path without stages of its own. `whole`: by step, whether it takes the whole
   * sequence (a sort) instead of an item. `absolute`: the path begins with a variable, and its context is one item.
   */
  const path = (
    context: unknown,
    absolute: boolean,
    steps: readonly Step[],
    whole: readonly boolean[] | null,
  ): unknown => {
    const last = steps.length - 1;
    let items: unknown[];
    let i = 0;
    if (!absolute && isArray(context)) {
      items = context;
    } else {
      let item = context;
      items = [];
      for (;;) {
        if (whole?.[i] === true) {
          items = seq(item);
          break;
        }
        const value = steps[i]!(item);
        if (value === undefined) return undefined;
        if (typeof value === 'object' && value !== null && isArray(value)) {
          if (i === last) return lastArray(value);
          i++;
          // a sort gives back what it got, so it must get the sequence that a step makes
          items = whole?.[i] === true ? flat([value], false) : (value as Seq).cons ? [value] : value;
          break;
        }
        if (i === last) return value;
        item = value;
        i++;
      }
      if (items.length === 0) return undefined;
    }
    return norm(along(items, i, steps, whole));
  };
  const along = (
    from: unknown[],
    start: number,
    steps: readonly Step[],
    whole: readonly boolean[] | null,
  ): unknown[] => {
    const last = steps.length - 1;
    let items = from;
    for (let i = start; i <= last; i++) {
      items = whole?.[i] === true ? (steps[i]!(items) as unknown[]) : each(items, steps[i]!, i === last);
      if (items === undefined || items.length === 0) break;
    }
    return items;
  };
  /** The same up to evaluatePath()'s end, for a path that is grouped, or keeps arrays. */
  const sequenceOf = (
    context: unknown,
    absolute: boolean,
    steps: readonly Step[],
    whole: readonly boolean[] | null,
    keep: boolean,
    constructed: boolean,
  ): unknown[] => {
    const start = !absolute && isArray(context) ? context : seq(context);
    let items: unknown[];
    if (constructed) {
      items = steps[0]!(start) as unknown[]; // an array constructor as the first step takes the sequence as its context
      if (items !== undefined && items.length > 0) items = along(items, 1, steps, whole);
    } else {
      items = along(start, 0, steps, whole);
    }
    if (keep && items !== undefined) {
      if (isArray(items) && (items as Seq).cons && !(items as Seq).sequence) items = seq(items);
      if (isSeq(items)) items.keepSingleton = true;
    }
    return items;
  };

  /** evaluateFilter() */
  const filter = (value: unknown, f: Step): Seq => {
    const out: Seq = [];
    out.sequence = true;
    const items = isArray(value) ? (value as unknown[]) : [value];
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      let found = f(item);
      if (found === true) {
        out.push(item);
        continue;
      }
      if (found === false || found === undefined) continue;
      if (typeof found === 'number') {
        if (!Number.isNaN(found)) {
          if (found - found !== 0) throw { code: 'D1001', value: found, stack: '' };
          found = [found];
        }
      }
      if (utils.isArrayOfNumbers(found)) {
        for (const one of found as number[]) {
          let index = floor(one);
          if (index < 0) index = items.length + index;
          if (index === i) out.push(item);
        }
      } else if (fn['boolean']!(found)) {
        out.push(item);
      }
    }
    return out;
  };
  const pickAt = (value: unknown, position: number): unknown[] => {
    const items = isArray(value) ? value : [value];
    let index = floor(position);
    if (index < 0) index = items.length + index;
    const item = items[index] as unknown;
    if (item === undefined) return seq();
    return isArray(item) ? item : seq(item);
  };

  /**
   * The parts of a constructor where one may fail. The reference evaluates them side by side and gives the first failure in time:
   * of failures that differ, that is known only there.
   */
  const all = (parts: readonly (() => unknown)[]): unknown[] => {
    const values: unknown[] = [];
    let first: Coded | null = null;
    const same = (a: Coded, b: Coded): boolean =>
      a.code === b.code &&
      a.position === b.position &&
      a.token === b.token &&
      a.value === b.value &&
      a.value2 === b.value2;
    for (let i = 0; i < parts.length; i++) {
      try {
        values[i] = parts[i]!();
      } catch (thrown) {
        const error = thrown as Coded;
        if (typeof error.code !== 'string' || (first !== null && !same(first, error))) throw deopt;
        first ??= error;
      }
    }
    if (first !== null) throw first;
    return values;
  };

  /** evaluateGroupExpression(); an object constructor is a group over its context. */
  const group = (
    context: unknown,
    keys: readonly Key[],
    values: readonly Step[],
    position: unknown,
    careful: boolean,
  ): unknown => {
    let items = isArray(context) ? (context as unknown[]) : [context];
    if (items.length === 0) {
      if (!isSeq(items)) throw deopt; // the reference then puts an item into an array that may be the document's
      items = [undefined];
    }
    const groups = Object.create(null) as Record<string, { data: unknown; pair: number }>;
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      for (let p = 0; p < keys.length; p++) {
        const key = keys[p]!(item);
        if (key === undefined) continue;
        if (typeof key !== 'string') throw { code: 'T1003', position, value: key, stack: '' };
        if (key === '_jsonata_lambda' || key === '_jsonata_function') {
          throw { code: 'D1013', position, value: key, stack: '' };
        }
        const known = groups[key];
        if (known === undefined) groups[key] = { data: item, pair: p };
        else if (known.pair !== p) throw { code: 'D1009', position, value: key, stack: '' };
        else known.data = fn['append']!.call(frame, known.data, item);
      }
    }
    const out = Object.create(null) as Record<string, unknown>;
    const names = Object.keys(groups);
    const parts = names.map((key) => {
      const { data, pair } = groups[key]!;
      return () => values[pair]!(data);
    });
    const found = careful ? all(parts) : parts.map((part) => part());
    for (let i = 0; i < names.length; i++) if (found[i] !== undefined) out[names[i]!] = found[i];
    return out;
  };
  /** An object of constant keys whose context is no array, when some values are missing. */
  const sparse = (keys: readonly string[], values: readonly unknown[]): unknown => {
    const out = {} as Record<string, unknown>;
    for (let i = 0; i < keys.length; i++) if (values[i] !== undefined) out[keys[i]!] = values[i];
    return out;
  };

  /** An array constructor: `nested` are the items that are constructors themselves, which stay arrays. */
  const array = (values: readonly unknown[], nested: readonly boolean[] | null, cons: boolean): unknown[] => {
    const out: Seq = [];
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value === undefined) continue;
      if (nested?.[i] !== true && isArray(value)) for (let k = 0; k < value.length; k++) out.push(value[k]);
      else out.push(value);
    }
    if (cons) Object.defineProperty(out, 'cons', { enumerable: false, configurable: false, value: true });
    return out;
  };

  /** evaluateSortExpression(); each term is a function and whether it descends. */
  const sort = (items: unknown[], terms: readonly Step[], down: readonly boolean[], position: unknown): unknown => {
    const after = (a: unknown, b: unknown): boolean => {
      for (let t = 0; t < terms.length; t++) {
        const l = terms[t]!(a);
        const r = terms[t]!(b);
        if (l === undefined || r === undefined) {
          if (l === r) continue;
          return l === undefined;
        }
        const lt_ = typeof l;
        const rt = typeof r;
        if (!(lt_ === 'string' || lt_ === 'number') || !(rt === 'string' || rt === 'number')) {
          throw { code: 'T2008', position, value: lt_ === 'string' || lt_ === 'number' ? r : l, stack: '' };
        }
        if (lt_ !== rt) throw { code: 'T2007', position, value: l, value2: r, stack: '' };
        if (l === r) continue;
        return ((l as number) < (r as number) ? -1 : 1) * (down[t] === true ? -1 : 1) === 1;
      }
      return false;
    };
    return fn['sort']!.call({ environment: frame, input: items }, items, after);
  };

  const wildcard = (input: unknown): unknown => lib.evaluateWildcard(null, input, frame);
  const descendants = (input: unknown): unknown => lib.evaluateDescendants(null, input, frame);
  const regex = (value: RegExp, position: unknown): unknown => lib.evaluateRegex({ value, position }, null, frame);

  // ---- functions ----

  /** A call in the place of a lambda's result, for the caller's loop: what the reference calls a thunk. */
  class Tail {
    f: unknown;
    args: unknown[];
    late: Late | null;
    constructor(f: unknown, args: unknown[], late: Late | null) {
      this.f = f;
      this.args = args;
      this.late = late;
    }
  }
  const tail = (f: unknown, args: unknown[]): Tail => new Tail(f, args, null);
  /** The same while errors get their places: what fails in the arguments has not failed in the lambda that they stand in. */
  const later = (f: () => unknown, args: () => unknown[], position: unknown, token: unknown): Tail =>
    new Tail(f, [], { args, position, token });
  const evaluated = ({ f, late }: Tail): { readonly f: unknown; readonly args: unknown[] } => {
    const next = (f as () => unknown)();
    if ((typeof next !== 'object' && typeof next !== 'function') || next === null) throw deopt;
    if (late!.token !== undefined) (next as Definition).token = late!.token;
    (next as Definition).position = late!.position;
    return { f: next, args: late!.args() };
  };

  const untail = (first: unknown, context: unknown): unknown => {
    let result = first;
    while (result instanceof Tail) {
      const { f, args } = result.late === null ? result : evaluated(result);
      if (typeof f === 'function') {
        result = exact ? applyPlaced(f as Compiled, args, context) : applyRaw(f as Compiled, args, context);
      } else if (isDefinition(f)) {
        // its arguments are not wrapped there, and $sort calls its comparator as a function of JavaScript's
        if (f.implementation === fn['sort'] && args[1] !== undefined) throw deopt;
        result = applyDefinition(f, args, context);
      } else {
        throw deopt; // the library trips over itself there
      }
    }
    return result;
  };
  const isDefinition = (f: unknown): f is Definition =>
    typeof f === 'object' && f !== null && (f as Partial<Definition>)._jsonata_function === true;

  /** applyInner() of a function of the library's. */
  const applyDefinition = (f: Definition, args: unknown[], context: unknown): unknown => {
    try {
      const checked = f.signature === undefined ? args : f.signature.validate(args, context);
      const focus = { environment: frame, input: context, options: undefined, createSequence: seq };
      const result = f.implementation.apply(focus, checked as never);
      return utils.isIterable(result) ? (result as Iterator<unknown>).next().value : result;
    } catch (thrown) {
      throw placed(f, thrown);
    }
  };
  const placed = (f: { token?: unknown; position?: unknown }, thrown: unknown): unknown => {
    if (thrown === deopt) return thrown;
    const error = thrown as { token?: unknown; position?: unknown };
    if (error.token === undefined && f.token !== undefined) error.token = f.token;
    error.position = f.position || error.position;
    return thrown;
  };
  /** applyInner() of a function that was compiled; may give a Tail. */
  const applyRaw = (f: Compiled, args: unknown[], context: unknown): unknown => {
    const { sig, raw } = f;
    return (raw ?? f).apply(context, sig === undefined ? args : sig.validate(args, context));
  };
  const applyPlaced = (f: Compiled, args: unknown[], context: unknown): unknown => {
    try {
      return applyRaw(f, args, context);
    } catch (thrown) {
      throw placed(f, thrown);
    }
  };
  const applyCompiled = (f: Compiled, args: unknown[], context: unknown): unknown => {
    if (exact) return untail(applyPlaced(f, args, context), context);
    return f.raw === undefined ? applyRaw(f, args, context) : untail(applyRaw(f, args, context), context);
  };
  const apply = (f: unknown, args: unknown[], context: unknown): unknown => {
    if (typeof f === 'function') return applyCompiled(f as Compiled, args, context);
    if (isDefinition(f)) return applyDefinition(f, args, context);
    throw { code: 'T1006', stack: '' };
  };

  /** A function that is handed to another is called with no context. */
  const wrapped = (f: unknown): unknown => {
    if (typeof f === 'function' && (f as Compiled).sig === undefined && !exact) return f;
    const closure: Compiled = (...args) => apply(f, args, null);
    closure.arity = utils.getFunctionArity(f);
    return closure;
  };
  const wrapAll = (args: unknown[]): unknown[] => {
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (typeof arg === 'function' || isDefinition(arg)) args[i] = wrapped(arg);
    }
    return args;
  };

  /** A path where a function should be: its name may be one that lacks its `$`. */
  const hinted = (f: unknown, name: string, position: unknown): unknown => {
    if (f === undefined && frame.lookup(name)) throw { code: 'T1005', position, token: name, stack: '' };
    return f;
  };
  /** evaluateFunction(): `name` is what stands before the parentheses. */
  const call = (f: unknown, args: unknown[], context: unknown, position: unknown, name: unknown): unknown => {
    if (typeof f === 'object' && !isDefinition(f)) throw deopt; // the library writes into it before it sees what it is
    wrapAll(args);
    try {
      if (isDefinition(f) || (exact && (f as Compiled | undefined)?.named === true)) {
        (f as Definition).token = name;
        (f as Definition).position = position;
      }
      return apply(f, args, context);
    } catch (thrown) {
      if (thrown === deopt) throw thrown;
      const error = thrown as { token?: unknown; position?: unknown };
      if (!error.position) error.position = position;
      if (!error.token) error.token = name;
      throw thrown;
    }
  };
  /** `~>` with something that is no call on its right. */
  const pipe = (l: unknown, f: unknown, position: unknown): unknown => {
    if (!isFunction(f)) throw { code: 'T2006', position, value: f, stack: '' };
    if (!isFunction(l)) return apply(f, [l], null);
    if (!exact) return lambda(1, null, null, (x) => apply(f, [norm(apply(l, [x], null))], null));
    // places in the reference's own text of a chain: function($f, $g) { function($x){ $g($f($x)) } }
    const first = (x: unknown): unknown[] => [norm(call(l, [x], null, 39, 'f'))];
    return lambda(
      1,
      null,
      (x) =>
        later(
          () => f,
          () => first(x),
          35,
          'g',
        ),
      first,
    );
  };

  /** A lambda as a value. `raw`: its body may end in a call. */
  const lambda = (
    arity: number,
    signature: string | null,
    raw: ((...args: unknown[]) => unknown) | null,
    body: (...args: unknown[]) => unknown,
  ): Compiled => {
    const f: Compiled = raw === null ? body : (...args) => untail(raw(...args), null);
    f.arity = arity;
    if (raw !== null) f.raw = raw;
    if (exact) f.named = true;
    if (signature !== null) f.sig = signatures[signature] ??= lib.parseSignature(signature);
    return f;
  };
  const signatures: Record<string, Signature> = {};

  /** evaluateTransformExpression() */
  const transform = (
    pattern: Step,
    update: Step,
    remove: Step | null,
    places: readonly unknown[],
    clone: () => unknown,
  ): Definition =>
    lib.defineFunction((object: unknown) => {
      if (object === undefined) return undefined;
      const cloner = clone();
      if (!isFunction(cloner)) throw { code: 'T2013', position: places[0], stack: '' };
      const result = apply(cloner, [object], null);
      const found = pattern(result);
      if (found === undefined) return result;
      for (const match of (isArray(found) ? found : [found]) as Record<string, unknown>[]) {
        const change = update(match);
        if (change !== undefined) {
          if (typeof change !== 'object' || change === null || isArray(change)) {
            throw { code: 'T2011', position: places[1], value: change, stack: '' };
          }
          for (const key of Object.keys(change)) match[key] = (change as Record<string, unknown>)[key];
        }
        const gone = remove?.(match);
        if (gone === undefined) continue;
        const names = (isArray(gone) ? gone : [gone]) as string[];
        if (!utils.isArrayOfStrings(names)) throw { code: 'T2012', position: places[2], value: gone, stack: '' };
        for (const name of names) if (typeof match === 'object' && match !== null) delete match[name];
      }
      return result;
    }, '<(oa):o>');

  // ---- functions that are called often ----

  /** $map with a function that is compiled here and has no signature. */
  const map = (value: unknown, f: (item: unknown, index: number, all: unknown) => unknown): unknown => {
    if (value === undefined) return undefined;
    const items = isArray(value) ? (value as unknown[]) : [value];
    const out: Seq = [];
    out.sequence = true;
    for (let i = 0; i < items.length; i++) {
      const found = f(items[i], i, items);
      if (found !== undefined) out.push(found);
    }
    return out;
  };
  const where = (value: unknown, f: (item: unknown, index: number, all: unknown) => unknown): unknown => {
    if (value === undefined) return undefined;
    const items = isArray(value) ? (value as unknown[]) : [value];
    const out: Seq = [];
    out.sequence = true;
    for (let i = 0; i < items.length; i++) if (truthy(f(items[i], i, items))) out.push(items[i]);
    return out;
  };
  const numbers = (value: unknown): value is number[] => {
    if (!isArray(value)) return false;
    for (let i = 0; i < value.length; i++) if (typeof value[i] !== 'number') return false;
    return true;
  };

  const SMALL = 1000;
  const total = (values: readonly number[]): number => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[i]!;
    return sum;
  };
  /** Quick ways of the library's functions; null: its own way. The argument is the only one. */
  const quick = {
    sum: (value: unknown) => (numbers(value) ? total(value) : null),
    count: (value: unknown) => (isArray(value) ? value.length : value === undefined ? 0 : null),
    average: (value: unknown) => (numbers(value) && value.length > 0 ? total(value) / value.length : null),
    max: (value: unknown) => {
      if (!numbers(value) || value.length === 0 || value.length > SMALL) return null;
      let most = value[0]!;
      for (let i = 1; i < value.length; i++) most = Math.max(most, value[i]!);
      return most;
    },
    min: (value: unknown) => {
      if (!numbers(value) || value.length === 0 || value.length > SMALL) return null;
      let least = value[0]!;
      for (let i = 1; i < value.length; i++) least = Math.min(least, value[i]!);
      return least;
    },
    uppercase: (value: unknown) => (typeof value === 'string' ? value.toUpperCase() : null),
    lowercase: (value: unknown) => (typeof value === 'string' ? value.toLowerCase() : null),
    string: (value: unknown) =>
      typeof value === 'string' ? value : typeof value === 'number' && Number.isInteger(value) ? `${value}` : null,
    number: (value: unknown) => (typeof value === 'number' ? value : null),
    floor: (value: unknown) => (typeof value === 'number' ? floor(value) : null),
    ceil: (value: unknown) => (typeof value === 'number' ? Math.ceil(value) : null),
    abs: (value: unknown) => (typeof value === 'number' ? Math.abs(value) : null),
    not: (value: unknown) => (typeof value === 'boolean' ? !value : null),
    boolean: (value: unknown) => (typeof value === 'boolean' ? value : null),
  };

  const clock = (): number => (frame.timestamp as Date).getTime();
  // the two functions that the reference makes anew for each expression
  const now = (picture: never, zone: never): unknown => lib.datetime.fromMillis(clock() as never, picture, zone);
  frame.bind('now', lib.defineFunction(now, '<s?s?:s>'));
  frame.bind('millis', lib.defineFunction(clock, '<:n>'));

  return {
    deopt,
    U,
    frame,
    fn,
    norm,
    normKeep,
    truthy,
    sided,
    hinted,
    quick,
    add,
    sub,
    mul,
    div,
    mod,
    lt,
    le,
    gt,
    ge,
    eq,
    ne,
    concat,
    range,
    within,
    minus,
    lookArray,
    look,
    lastArray,
    path,
    along,
    sequenceOf,
    filter,
    pickAt,
    group,
    all,
    sparse,
    array,
    sort,
    wildcard,
    descendants,
    regex,
    tail,
    later,
    exactly,
    call,
    applyDefinition,
    pipe,
    lambda,
    untail,
    transform,
    map,
    where,
    builtin: (name: string): unknown => frame.lookup(name),
    isArray,
  };
}

export type Runtime = ReturnType<typeof runtime>;
