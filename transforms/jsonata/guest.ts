// The inside half of JSONata: runs an expression in its lane, and in the next slower one when an event leaves it.
//   compiled     JavaScript made of the expression (compile.ts, runtime.ts)
//   interpreted  the reference library without its promises (library.ts)
//   reference    the library as its package has it
// Guarantee: every lane gives what the reference gives. An event leaves its lane when that is not certain: something that the
// compiled code does not do, a stack that the reference would not need, or an error where the reference evaluates several
// parts side by side and another part's error could be its first. It then starts anew, from its texts.
// Sent to the isolate as text, so it uses nothing from outside of its body.

import type { GuestLanguage, ValueFunction } from 'sluice/sdk';
import type { Traits } from './lanes.ts';
import type { Library, Runtime } from './runtime.ts';

export interface GuestParts {
  readonly reference: string;
  readonly sync: string | null;
}

/** The compiled text. */
export interface Program {
  readonly expression: string;
  readonly lane: 'compiled' | 'interpreted' | 'reference';
  /** In the compiled lane. */
  readonly js: string | null;
  /** The same for events that failed: says whether the failure is the reference's, and its place. */
  readonly careful: string | null;
  /** JSON text. */
  readonly constants: string;
  readonly traits: Pick<Traits, 'parallel' | 'clock' | 'dice' | 'event' | 'functions'>;
}

export function jsonataGuest(parts: GuestParts, makeRuntime: (library: Library) => Runtime): GuestLanguage {
  type Bindings = Record<string, unknown>;
  type Expression = { evaluate(input: unknown, bindings: Bindings): unknown };
  type Module = ((expression: string) => Expression) & { readonly internals: Library };
  type Compiled = (context: unknown, root: unknown, event: () => unknown) => unknown;
  interface JsonataError {
    readonly code?: unknown;
    readonly position?: unknown;
    readonly token?: unknown;
    readonly message?: unknown;
    readonly value?: unknown;
  }
  // biome-ignore lint/security/noGlobalEval: this runs in the isolate, whose purpose it is
  const evaluate = eval;
  const { isArray } = Array;
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

  // What the library takes from a browser. As Buffer does it: each character is one byte; what is no base64 is left out.
  const btoa = (text: string): string => {
    let out = '';
    for (let i = 0; i < text.length; i += 3) {
      const [a, b, c] = [text.charCodeAt(i) & 255, text.charCodeAt(i + 1) & 255, text.charCodeAt(i + 2) & 255];
      out += ALPHABET[a >> 2]! + ALPHABET[((a & 3) << 4) | (b >> 4)]!;
      out += i + 1 < text.length ? ALPHABET[((b & 15) << 2) | (c >> 6)]! : '=';
      out += i + 2 < text.length ? ALPHABET[c & 63]! : '=';
    }
    return out;
  };
  const atob = (text: string): string => {
    let out = '';
    let bits = 0;
    let count = 0;
    for (const char of text) {
      if (char === '=') break;
      const digit = char === '-' ? 62 : char === '_' ? 63 : ALPHABET.indexOf(char);
      if (digit < 0) continue;
      bits = (bits << 6) | digit;
      count += 6;
      if (count < 8) continue;
      count -= 8;
      out += String.fromCharCode((bits >> count) & 255);
    }
    return out;
  };

  // The library asks for the time of every evaluation. Of an expression that never shows it, this would have all heads sent.
  class Still extends Date {
    constructor(...args: unknown[]) {
      super(...((args.length === 0 ? [0] : args) as [number]));
    }
    static override now(): number {
      return 0;
    }
  }
  const load = (source: string, clock: DateConstructor): Module => {
    const module = { exports: {} };
    const names = 'module, exports, window, global, self, require, define, Date';
    const make = evaluate(`(function (${names}) {${source}\n})`) as (...args: unknown[]) => void;
    make(module, module.exports, { btoa, atob }, undefined, undefined, undefined, undefined, clock);
    return module.exports as Module;
  };
  const loadSync = (source: string, clock: DateConstructor): Module => {
    const sync = load(source, clock);
    // A function in place of a text is written out as its source there, and the source without promises is another one.
    const replace = sync.internals.staticFrame.lookup('replace') as {
      implementation: (...args: unknown[]) => unknown;
    };
    const { implementation } = replace;
    replace.implementation = function (this: unknown, ...args) {
      if (typeof args[1] === 'string' && typeof args[2] === 'function')
        throw new Error('only the reference has its source');
      return implementation.apply(this, args);
    };
    return sync;
  };
  // Before any expression is there: so it is done already in an isolate that was made ahead.
  const still = parts.sync === null ? null : loadSync(parts.sync, Still as DateConstructor);

  return (text, host) => {
    const { expression, lane, js, careful, constants, traits } = JSON.parse(text) as Program;
    const clock = (traits.clock ? Date : Still) as DateConstructor;
    const sync = traits.clock && parts.sync !== null ? loadSync(parts.sync, clock) : still;
    const interpreted = sync?.(expression);
    const runtime = js === null ? null : makeRuntime(sync!.internals);
    const made = (code: string): Compiled =>
      (evaluate(code) as (r: Runtime, k: unknown) => Compiled)(runtime!, JSON.parse(constants));
    const compiled = js === null ? null : made(js);
    let carefully: Compiled | undefined;
    let reference: Expression | undefined;
    if (lane === 'reference') reference = load(parts.reference, clock)(expression);

    // Names that the library gives a meaning to where it should see a document's key, and the one that sets a prototype.
    const oddIn = (one: string): boolean =>
      one.includes('_jsonata_') ||
      one.includes('tupleStream') ||
      one.includes('outerWrapper') ||
      one.includes('__proto__');
    const isOdd = (texts: readonly (string | null)[]): boolean => {
      for (const one of texts) {
        if (one === null) continue;
        if (oddIn(one) || (one.includes('\\u') && oddIn(JSON.stringify(JSON.parse(one))))) return true; // spelt with escapes
      }
      return false;
    };

    const bindingsFor = (event: unknown): Bindings => {
      const bindings = JSON.parse(constants) as Bindings;
      if (traits.event) bindings['event'] = event;
      return bindings;
    };
    const wrap = (input: unknown): unknown => {
      if (!isArray(input)) return input;
      return Object.assign([input], { sequence: true, outerWrapper: true });
    };

    const holdsFunction = (value: unknown): boolean => {
      if (typeof value === 'function') return true;
      if (typeof value !== 'object' || value === null) return false;
      const { _jsonata_lambda: lambda, _jsonata_function: builtin } = value as Record<string, unknown>;
      if (lambda === true || builtin === true) return true;
      for (const key of Object.keys(value)) if (holdsFunction((value as Record<string, unknown>)[key])) return true;
      return false;
    };
    const finish = (value: unknown): unknown => {
      if (traits.functions && holdsFunction(value)) throw host.refuse('output', 'the result holds a function');
      return value;
    };

    const isStack = (thrown: unknown): boolean => thrown instanceof RangeError && /call stack/.test(thrown.message);
    const isCoded = (thrown: unknown): boolean =>
      typeof (thrown as JsonataError | null)?.code === 'string' && !isStack(thrown);
    /** An error that is certain to be the reference's too. */
    const isFinal = (thrown: unknown): boolean => !traits.parallel && isCoded(thrown);
    /** The error of an event that failed in the compiled code, if it is certain. */
    const certain = (thrown: unknown, input: unknown, event: () => unknown): unknown => {
      if (!isCoded(thrown)) return null;
      // of a function in its words the reference makes another error
      const { value, value2 } = thrown as { readonly value?: unknown; readonly value2?: unknown };
      if (holdsFunction(value) || holdsFunction(value2)) return null;
      carefully ??= made(careful!);
      try {
        runtime!.exactly(() => carefully!(wrap(input), input, event));
      } catch (again) {
        if (isCoded(again)) return again;
      }
      return null;
    };

    // The position is behind the token that failed; the place is the token's.
    const placeOf = ({ position, token }: JsonataError): readonly [number, number, number] => {
      const end = typeof position === 'number' ? position : 0;
      const length = typeof token === 'string' && expression.slice(0, end).endsWith(token) ? token.length : 1;
      const lines = expression.slice(0, Math.max(0, end - length)).split('\n');
      return [0, lines.length + 1, lines[lines.length - 1]!.length + 1]; // a module's script has one line before it
    };
    const refusal = (thrown: unknown): unknown => {
      const error = thrown as JsonataError | null;
      if (typeof error?.code !== 'string') return thrown;
      sync?.internals.populateMessage(error);
      let value: string | undefined;
      try {
        value = JSON.stringify(error.value);
      } catch {
        value = undefined; // a function of the library's holds its frames
      }
      if (value !== undefined && value.length > 200) value = `${value.slice(0, 200)}…`;
      const message = `${error.code}: ${String(error.message)}`;
      const more = value === undefined || message.includes(value) ? '' : ` (value: ${value})`;
      return host.refuse('runtime', message + more, { place: placeOf(error), code: error.code });
    };

    const refer = (input: unknown, event: () => unknown): unknown => {
      reference ??= load(parts.reference, clock)(expression);
      const bindings = bindingsFor(traits.event ? event() : undefined);
      const done = (async () => finish(await reference.evaluate(input, bindings)))();
      return done.catch((thrown: unknown) => {
        throw refusal(thrown);
      });
    };

    const run: ValueFunction = (first, firstContext, source) => {
      let input = first;
      let context = firstContext;
      const again = (): void => {
        ({ input, context } = source.again());
        if (traits.dice) host.reseed();
      };
      const event = (): unknown => context.event;
      if (traits.dice) host.reseed();
      if (lane === 'compiled' && runtime !== null && compiled !== null) {
        if (isOdd(source.texts)) {
          host.deopt();
        } else {
          try {
            if (traits.clock) runtime.frame.timestamp = new Date();
            return finish(compiled(wrap(input), input, event));
          } catch (thrown) {
            if (thrown instanceof Error && !(thrown instanceof RangeError) && 'why' in thrown) throw thrown;
            const error = certain(thrown, input, event);
            if (error !== null) throw refusal(error);
            host.deopt();
            again();
          }
        }
      }
      if (lane !== 'reference' && interpreted !== undefined) {
        try {
          return finish(interpreted.evaluate(input, bindingsFor(traits.event ? event() : undefined)));
        } catch (thrown) {
          if (thrown instanceof Error && 'why' in thrown) throw thrown;
          if (isFinal(thrown)) throw refusal(thrown);
          if (lane === 'interpreted') host.deopt();
          again();
        }
      }
      return refer(input, event);
    };
    return { values: () => run };
  };
}
