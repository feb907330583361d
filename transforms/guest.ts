// The inside half of the bridge (run.ts is the outside half): makes the author's function out of its texts a row or an event,
// and texts out of what it returns. Sent to the isolate as text, so it uses nothing from outside of its body.
// Guarantee: what comes out is the JSON text of a valid row or event, or a refusal that says what is wrong with it.

import type { GuestContext, GuestLanguage, TextFunction, ValueFunction } from 'sluice/sdk';
import type { GuestHost, GuestProgram, GuestRun } from '../sandbox/index.ts';

export interface BridgeOptions {
  /** `value`: any JSON in, any JSON out (`sluice apply`). */
  readonly scope: 'row' | 'event' | 'value';
  /** scope row: the function runs on the old image of an update too. */
  readonly both: boolean;
  /** The module's body runs once. */
  readonly keep: boolean;
}

export function bridge(language: GuestLanguage, options: BridgeOptions): GuestProgram {
  return (text: string, host: GuestHost): GuestRun => {
    const { parse, stringify } = JSON;
    const { keys, freeze, getPrototypeOf, getOwnPropertyDescriptor, getOwnPropertyNames } = Object;
    const isArray = Array.isArray;
    // taken once: a look-up of a method in the frozen realm is a slow one each time
    const indexOf = Function.prototype.call.bind(String.prototype.indexOf) as (
      text: string,
      part: string,
      from: number,
    ) => number;
    const finite = Number.isFinite;
    const objectPrototype = Object.prototype;
    const { iterator } = Symbol;
    type Handler = (input: unknown, ctx: object) => unknown;
    type Result = null | string | string[];
    type Texts = readonly [main: string | null, second: string | null, head: string | null];

    // By prototype: what the built-in objects are called, and the functions that give their results one by one.
    const builtIns = new Map<object, string>();
    for (const room of [globalThis, typeof Intl === 'object' ? Intl : {}]) {
      for (const name of getOwnPropertyNames(room)) {
        const made = (room as Record<string, unknown>)[name];
        const proto = typeof made === 'function' ? (made.prototype as unknown) : null;
        if (typeof proto === 'object' && proto !== null && proto !== objectPrototype) builtIns.set(proto, name);
      }
    }
    const generators = [function* () {}, async function* () {}].map((made) => getPrototypeOf(made) as object);
    builtIns.set((generators[0] as { prototype: object }).prototype, 'Generator');
    builtIns.set((generators[1] as { prototype: object }).prototype, 'AsyncGenerator');
    const builtInOf = (value: object): string | undefined => {
      let proto = getPrototypeOf(value) as object | null;
      for (; proto !== null && proto !== objectPrototype; proto = getPrototypeOf(proto) as object | null) {
        const name = builtIns.get(proto);
        if (name !== undefined) return name;
      }
      return undefined;
    };

    const { refuse, reseed, deopt } = host;
    const made = language(text, { refuse, reseed, deopt });
    const body = typeof made === 'function' ? made : 'values' in made ? made.values : made.texts;
    const handlerOf = (): unknown => {
      const found = body();
      if (typeof found !== 'function')
        throw host.refuse('shape', 'the module has no `export default` that is a function');
      if (generators.includes(getPrototypeOf(found) as object))
        throw host.refuse('shape', 'the default export is a generator function: return an array instead of yielding');
      return found;
    };
    const kept = handlerOf();
    const handler = (): Handler => (options.keep ? kept : handlerOf()) as Handler;

    class Context {
      // one field, because each costs its time for each event
      #of: { readonly texts: Texts; event: unknown; log: unknown };
      constructor(texts: Texts) {
        this.#of = { texts, event: undefined, log: undefined };
      }
      get event(): unknown {
        const of = this.#of;
        if (of.event !== undefined) return of.event;
        const [main, second, head] = of.texts;
        if (!host.needHeads() || head === null) return undefined; // this run is void
        of.event = eventOf(main, second, head);
        return of.event;
      }
      get log(): unknown {
        const of = this.#of;
        if (of.log === undefined) {
          const at =
            (level: string) =>
            (...args: unknown[]) =>
              host.log(level, args);
          const log = at('info') as unknown as Record<string, unknown>;
          for (const level of ['debug', 'info', 'warn', 'error']) log[level] = at(level);
          of.log = log;
        }
        return of.log;
      }
    }
    for (const name of ['event', 'log']) freeze(getOwnPropertyDescriptor(Context.prototype, name)!.get);
    freeze(Context.prototype);
    freeze(Context);

    const eventOf = (main: string | null, second: string | null, head: string): unknown => {
      const event = parse(head) as Record<string, unknown>;
      const isDelete = options.scope === 'row' && event['op'] === 'd';
      const before = isDelete ? main : second;
      const after = isDelete ? null : main;
      event['before'] = before === null ? (event['before'] ?? null) : parse(before);
      event['after'] = after === null ? null : parse(after);
      return event;
    };

    const kindOf = (value: unknown): string =>
      value === null
        ? 'null'
        : isArray(value)
          ? 'an array'
          : typeof value === 'object'
            ? 'an object of another kind'
            : typeof value;

    // What JSON writes as something else: NaN and Infinity (null), and most built-in objects (`{}`, or an object of numbers). The text
    // tells where that may be; then plain objects are walked, which is all but free. Where there is more than these, the value is
    // written once more, with an eye on each part of it.
    const suspectText = (text: string): boolean => host.hasOddObject(text) || indexOf(text, 'null', 0) >= 0;
    const suspect = (value: object): boolean => {
      const proto = getPrototypeOf(value) as unknown;
      if (proto !== objectPrototype && proto !== null && !isArray(value)) return true;
      for (const name in value) {
        const item = (value as Record<string, unknown>)[name];
        if (typeof item === 'number') {
          if (!finite(item)) return true;
        } else if (typeof item === 'object') {
          if (item !== null && suspect(item)) return true;
        } else if (typeof item === 'function' && name === 'toJSON') {
          return true;
        }
      }
      // not enumerable, and yet JSON.stringify would call it
      return getOwnPropertyDescriptor(value, 'toJSON') !== undefined;
    };
    const aKind = (kind: string): string => `${indexOf('AEIO', kind[0]!, 0) >= 0 ? 'an' : 'a'} ${kind}`;
    const lostIn = (root: object): string | null => {
      let found: string | null = null;
      const number = 'NaN, Infinity or an invalid date';
      stringify(root, function (this: Record<string, unknown>, name: string, value: unknown) {
        if (typeof value === 'number') {
          if (!finite(value)) found ??= number;
        } else if (value === null) {
          if (this[name] instanceof Date) found ??= number;
        } else if (typeof value === 'object' && !isArray(value)) {
          const kind = builtInOf(value);
          if (kind === 'Number') {
            if (!finite(Number(value))) found ??= number;
          } else if (kind !== undefined && kind !== 'String' && kind !== 'Boolean') {
            found ??= name === '' ? aKind(kind) : `${aKind(kind)} in "${name}"`;
          }
        }
        return value;
      });
      return found;
    };

    const write = (value: unknown): string => {
      let text: string | undefined;
      let lost: string | null = null;
      try {
        text = stringify(value);
        if (text !== undefined && typeof value === 'object' && value !== null && suspectText(text) && suspect(value))
          lost = lostIn(value);
      } catch (thrown) {
        // V8 throws a RangeError for both: no stack left, and a text longer than it can hold
        if (thrown instanceof RangeError && indexOf(String(thrown.message), 'call stack', 0) >= 0)
          throw host.refuse('depth', 'the result is nested too deep to be written as JSON');
        const why = thrown instanceof Error ? `: ${String(thrown.message).slice(0, 500)}` : '';
        throw host.refuse('output', `the result cannot be written as JSON${why}`);
      }
      if (text === undefined) throw host.refuse('output', `the result is no JSON, but ${kindOf(value)}`);
      if (typeof value === 'number' && !finite(value))
        throw host.refuse('output', `the result is ${value}, which JSON cannot say`);
      if (lost !== null) throw host.refuse('output', `the result holds ${lost}, which JSON cannot say`);
      return text;
    };

    // A class of the author's is a row of its fields; what is built in, or gives its parts one by one, is none. (A Proxy is what it
    // says it is.)
    const asObject = (value: unknown, what: string, wanted: string): object => {
      if (typeof value !== 'object' || value === null || isArray(value))
        throw host.refuse('output', `${what} must be ${wanted} (an object), and is ${kindOf(value)}`);
      const proto = getPrototypeOf(value) as object | null;
      const kind = proto === objectPrototype || proto === null ? undefined : builtInOf(value);
      if (kind !== undefined)
        throw host.refuse('output', `${what} must be ${wanted} (a plain object), and is ${aKind(kind)}`);
      // not `in`, which is slow in the frozen realm
      if ((value as { readonly [iterator]?: unknown })[iterator] !== undefined)
        throw host.refuse('output', `${what} must be ${wanted}, and is something to iterate over: return an array`);
      return value;
    };

    const row = (value: unknown, what: string): string => {
      asObject(value, what, 'a row');
      const text = write(value);
      if (text[0] !== '{')
        throw host.refuse('output', `${what} must be a row (an object), and is written as another kind of JSON`);
      return text;
    };

    const each = (result: unknown, one: (value: unknown, what: string) => string): Result => {
      if (result === null || result === undefined) return null;
      if (!isArray(result)) return one(result, 'the result');
      if (result.length === 0) return null;
      if (result.length === 1) return one(result[0], 'the result');
      const out: string[] = [];
      const length = result.length;
      if (length > 1e6) throw host.refuse('fan_out', `the function gave ${length} results`);
      for (let i = 0; i < length; i++) out[i] = one(result[i], `result ${i}`);
      return out;
    };

    const rows = (result: unknown): Result => each(result, row);

    const OPS = 'curdtms';
    const KNOWN = ['id', 'op', 'key', 'before', 'after', 'source', 'transaction', 'headers'];
    const event = (value: unknown, what: string): string => {
      const { before, after, ...head } = asObject(value, what, 'an event') as Record<string, unknown>;
      for (const name of keys(head)) {
        if (!KNOWN.includes(name)) throw host.refuse('output', `${what} has the field "${name}", which no event has`);
      }
      const { op, key, headers } = head;
      if (typeof op !== 'string' || op.length !== 1 || !OPS.includes(op)) {
        throw host.refuse('output', `${what} has an \`op\` that is not one of c, u, d, r, t, m, s`);
      }
      if (key !== undefined && key !== null) row(key, '`key`');
      if (headers !== undefined && headers !== null) {
        row(headers, '`headers`');
        for (const name of keys(headers)) {
          if (typeof (headers as Record<string, unknown>)[name] !== 'string') {
            throw host.refuse('output', `the header "${name}" is no text`);
          }
        }
      }
      const old = before === undefined || before === null ? '' : row(before, '`before`');
      const now = after === undefined || after === null ? '' : row(after, '`after`');
      if ((op === 'c' || op === 'u' || op === 'r') && now === '')
        throw host.refuse('output', `${what} has op ${op} and no \`after\``);
      if (op === 'd' && now !== '') {
        const mend = "return { ...event, op: 'd', before: event.after, after: null }";
        throw host.refuse('output', `${what} has op d and an \`after\`, which no delete has: ${mend}`);
      }
      return `${write(head)}\t${old}\t${now}`;
    };

    const input = (text: string): unknown => {
      let value: unknown;
      try {
        value = parse(text);
      } catch (thrown) {
        throw host.refuse('parse', `the row is no JSON: ${(thrown as Error).message}`);
      }
      if (options.scope !== 'value' && (typeof value !== 'object' || value === null || isArray(value))) {
        throw host.refuse('parse', 'the row is no JSON object');
      }
      return value;
    };

    type Finish = (value: unknown) => Result;
    const later = async (promise: unknown, finish: Finish): Promise<Result> => finish(await promise);
    const settle = (value: unknown, finish: Finish): Result | Promise<Result> =>
      value instanceof Promise ? later(value, finish) : finish(value);

    const isSound = typeof made === 'object' && 'texts' in made && made.sound === true;
    const breaks = /[\t\n\r]/g;
    const hasBreaks = (text: string): boolean =>
      indexOf(text, '\n', 0) >= 0 || indexOf(text, '\t', 0) >= 0 || indexOf(text, '\r', 0) >= 0;
    const replaceBreaks = (text: string, by: string): string => text.replace(breaks, by);
    const textOf = (value: unknown, what: string): string => {
      if (typeof value !== 'string') throw host.refuse('output', `${what} is no JSON text`);
      if (!isSound) {
        try {
          parse(value);
        } catch (thrown) {
          throw host.refuse('output', `${what} is no JSON: ${(thrown as Error).message}`);
        }
        // in JSON, tabs and line ends stand between values only; outside of the isolate, one text is one line
        if (hasBreaks(value)) return textOf(replaceBreaks(value, ' '), what);
      }
      if (options.scope !== 'value' && value[0] !== '{') throw host.refuse('output', `${what} must be an object`);
      return value;
    };
    const eventText = (value: unknown, what: string): string => event(parse(textOf(value, what)), what);

    // One value of the event through the function. Kinds of function differ in what they take, so there is one of these each.
    // An old image (`images: both`) is the main text of its call, and has the whole event as its context.
    type Call = (texts: Texts, ctx: GuestContext, whole: Texts) => unknown;
    const inputOf = ([main, second, head]: Texts): unknown => {
      if (options.scope !== 'event') return input(main!);
      if (main !== null) input(main);
      if (second !== null) input(second);
      return eventOf(main, second, head!);
    };
    let call: Call;
    let finish: Finish =
      options.scope === 'row'
        ? rows
        : options.scope === 'event'
          ? (result) => each(result, event)
          : (result) => each(result, write);
    if (typeof made === 'function') {
      call = (texts, ctx) => {
        const value = inputOf(texts);
        return handler()(value, ctx);
      };
    } else if ('values' in made) {
      call = (texts, ctx, whole) =>
        (handler() as unknown as ValueFunction)(inputOf(texts), ctx, {
          texts: whole,
          again: () => ({ input: inputOf(texts), context: new Context(whole) }),
        });
    } else {
      finish = (result) => each(result, options.scope === 'event' ? eventText : textOf);
      call = ([main, second, head], ctx) => {
        const text =
          options.scope === 'event'
            ? `${head!.slice(0, -1)},"before":${second ?? 'null'},"after":${main ?? 'null'}}`
            : main!;
        return (handler() as unknown as TextFunction)(text, ctx);
      };
    }

    if (!options.both) {
      return (main, second, head) => {
        const texts: Texts = [main, second, head];
        const result = call(texts, new Context(texts), texts);
        return result instanceof Promise ? later(result, finish) : finish(result);
      };
    }

    const join = (now: Result, old: Result): Result => {
      // A row that gives nothing any more: what it gave before is deleted.
      if (now === null)
        return old === null ? null : typeof old === 'string' ? `${old}\t` : old.map((one) => `${one}\t`);
      if (typeof now === 'string' && (old === null || typeof old === 'string')) return `${old ?? ''}\t${now}`;
      const out: string[] = [];
      for (const one of old === null ? [] : typeof old === 'string' ? [old] : old) out.push(`${one}\t`);
      for (const one of typeof now === 'string' ? [now] : now) out.push(`\t${one}`);
      return out;
    };
    return (main, second, head) => {
      const whole: Texts = [main, second, head];
      const ctx = new Context(whole);
      const now = settle(call(whole, ctx, whole), finish);
      if (second === null) return now instanceof Promise ? now.then((text) => join(text, null)) : join(now, null);
      const old = settle(call([second, null, head], ctx, whole), finish);
      if (!(now instanceof Promise) && !(old instanceof Promise)) return join(now, old);
      return (async () => join(await now, await old))();
    };
  };
}
