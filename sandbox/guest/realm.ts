// The realm of an isolate, made safe before any other code runs in it: what runs code later or takes uncounted memory is
// taken away, the clock and the dice are the event's own, and everything that is shared between two events is frozen.
// The function is sent to the isolate as text (`realm.toString()`), so it may use nothing from outside of its body.
// Refuses: nothing of Node or isolated-vm is reachable from here, because nothing of them is ever passed in.

/** What the harness keeps of the realm, out of the author's reach. */
export interface Realm {
  /** The real clock, for time limits only. */
  readonly realNow: () => number;
  /** Called whenever a guest asks for the time; gives milliseconds since 1970. */
  setClock(now: () => number): void;
  setRandom(random: () => number): void;
  /** Called for console.*: level and the arguments. */
  setConsole(write: (level: string, args: readonly unknown[]) => void): void;
}

export function realm(): Realm {
  const global = globalThis as unknown as Record<PropertyKey, unknown>;
  const RealDate = Date;
  const RealBuffer = ArrayBuffer;
  const { construct, apply, ownKeys, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
  const { freeze } = Object;
  const realNow = RealDate.now;
  let now = (): number => 0;
  let random = (): number => 0;
  let write = (_level: string, _args: readonly unknown[]): void => {};

  const hide = (target: object, name: PropertyKey, value: unknown): void => {
    defineProperty(target, name, { value, writable: true, enumerable: false, configurable: true });
  };

  // Code that runs after the timed call has returned (FinalizationRegistry, WebAssembly.compile, Atomics.waitAsync) and
  // memory that V8 does not count (WebAssembly.Memory, growable and shared buffers): facts/sandbox.md, 2.2.
  for (const name of [
    'WebAssembly',
    'SharedArrayBuffer',
    'Atomics',
    'FinalizationRegistry',
    'WeakRef',
    'console',
    'gc',
  ]) {
    delete global[name];
  }
  for (const name of ['resize', 'transfer', 'transferToFixedLength', 'resizable', 'maxByteLength']) {
    delete (RealBuffer.prototype as unknown as Record<string, unknown>)[name];
  }
  const Buffer = function (this: unknown, length?: number): ArrayBuffer {
    if (new.target === undefined) throw new TypeError("Constructor ArrayBuffer requires 'new'");
    return construct(RealBuffer, [length], new.target) as ArrayBuffer;
  } as unknown as ArrayBufferConstructor;
  defineProperty(Buffer, 'name', { value: 'ArrayBuffer' });
  hide(Buffer, 'isView', RealBuffer.isView);
  defineProperty(Buffer, Symbol.species, {
    get(this: unknown) {
      return this;
    },
    configurable: true,
  });
  defineProperty(Buffer, 'prototype', { value: RealBuffer.prototype, writable: false });
  hide(RealBuffer.prototype, 'constructor', Buffer);
  hide(global, 'ArrayBuffer', Buffer);

  // What the last match of a regular expression was is state that one event could read of another.
  for (const name of ownKeys(RegExp)) {
    if (name !== 'length' && name !== 'name' && name !== 'prototype' && name !== 'escape' && name !== Symbol.species) {
      delete (RegExp as unknown as Record<PropertyKey, unknown>)[name];
    }
  }

  // The clock stands at the event's own time.
  const FixedDate = function (this: unknown, ...args: unknown[]): unknown {
    if (new.target === undefined) return apply(RealDate.prototype.toString, new RealDate(now()), []);
    return construct(RealDate, args.length === 0 ? [now()] : args, new.target);
  } as unknown as DateConstructor;
  defineProperty(FixedDate, 'name', { value: 'Date' });
  defineProperty(FixedDate, 'length', { value: 7 });
  hide(FixedDate, 'now', function now_() {
    return now();
  });
  hide(FixedDate, 'parse', RealDate.parse);
  hide(FixedDate, 'UTC', RealDate.UTC);
  defineProperty(FixedDate, 'prototype', { value: RealDate.prototype, writable: false });
  hide(RealDate.prototype, 'constructor', FixedDate);
  hide(global, 'Date', FixedDate);

  const format = Intl.DateTimeFormat.prototype;
  const getFormat = getOwnPropertyDescriptor(format, 'format')!.get!;
  const formatToParts = format.formatToParts;
  defineProperty(format, 'format', {
    get(this: Intl.DateTimeFormat) {
      const bound = apply(getFormat, this, []) as (date?: number | Date) => string;
      return (date?: number | Date) => bound(date === undefined ? now() : date);
    },
    configurable: true,
  });
  hide(format, 'formatToParts', function (this: Intl.DateTimeFormat, date?: number | Date) {
    return apply(formatToParts, this, [date === undefined ? now() : date]);
  });
  const temporal = global['Temporal'] as
    | {
        Now: object;
        Instant: {
          fromEpochMilliseconds(ms: number): { toZonedDateTimeISO(zone: unknown): Record<string, () => unknown> };
        };
      }
    | undefined;
  if (temporal !== undefined) {
    const instant = () => temporal.Instant.fromEpochMilliseconds(now());
    const zoned = (zone: unknown = 'UTC') => instant().toZonedDateTimeISO(zone);
    hide(temporal.Now, 'instant', instant);
    hide(temporal.Now, 'timeZoneId', () => 'UTC');
    hide(temporal.Now, 'zonedDateTimeISO', zoned);
    hide(temporal.Now, 'plainDateTimeISO', (zone?: unknown) => zoned(zone)['toPlainDateTime']!());
    hide(temporal.Now, 'plainDateISO', (zone?: unknown) => zoned(zone)['toPlainDate']!());
    hide(temporal.Now, 'plainTimeISO', (zone?: unknown) => zoned(zone)['toPlainTime']!());
  }
  hide(Math, 'random', function random_() {
    return random();
  });

  // A hook of the author's would run while isolated-vm reads a stack, outside of every time limit.
  defineProperty(Error, 'prepareStackTrace', {
    get: () => undefined,
    set: () => {},
    enumerable: false,
    configurable: false,
  });

  const out: Record<string, unknown> = {};
  for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace']) {
    hide(out, level, (...args: unknown[]) => write(level === 'log' || level === 'trace' ? 'info' : level, args));
  }
  hide(global, 'console', out);

  // Assigning to a property that a frozen prototype also has would throw (`this.name = …` in an error of one's own, a column
  // named `constructor`). So those become accessors whose setter defines the property on the object itself.
  const unmistake = (proto: object, names: readonly PropertyKey[]): void => {
    for (const name of names) {
      const found = getOwnPropertyDescriptor(proto, name);
      if (found === undefined || !('value' in found) || !found.configurable) continue;
      const value = found.value as unknown;
      defineProperty(proto, name, {
        get: () => value,
        set(this: object, next: unknown) {
          if (this === proto) throw new TypeError(`Cannot assign to read only property '${String(name)}'`);
          defineProperty(this, name, { value: next, writable: true, enumerable: true, configurable: true });
        },
        enumerable: false,
        configurable: false,
      });
    }
  };

  const hidden: unknown[] = [
    (function* () {})(),
    (async function* () {})(),
    async () => {},
    [][Symbol.iterator](),
    ''[Symbol.iterator](),
    new Map()[Symbol.iterator](),
    new Set()[Symbol.iterator](),
    'a'.matchAll(/a/g),
    [].values().map((x) => x),
    Iterator.from({ next: () => ({ done: true, value: undefined }) }),
    Object.getOwnPropertyDescriptor(
      (function () {
        // biome-ignore lint/complexity/noArguments: the one way to the thrower that V8 shares between functions
        return arguments;
      })(),
      'callee',
    )!.get,
  ].map((value) => value);

  const plain = ['constructor', 'toString', 'valueOf', 'toLocaleString', 'toJSON', 'name', 'message', 'cause', 'stack'];
  const frozen = new Set<object>();
  /** These, and all that can be reached from them. A time limit may cut it off anywhere: the next call does all of it again. */
  const freezeFrom = (...queue: object[]): void => {
    const found = new Set<object>();
    for (let at = 0; at < queue.length; at++) {
      const value = queue[at]!;
      if (found.has(value) || frozen.has(value)) continue;
      found.add(value);
      const proto = getPrototypeOf(value);
      if (proto !== null) queue.push(proto);
      for (const key of ownKeys(value)) {
        const { value: held, get, set } = getOwnPropertyDescriptor(value, key)!;
        for (const next of [held, get, set] as unknown[]) {
          if ((typeof next === 'object' && next !== null) || typeof next === 'function') queue.push(next as object);
        }
      }
    }
    for (const value of found) {
      if (value === Object.prototype) unmistake(value, ownKeys(value));
      else if (value !== global && typeof value === 'object') unmistake(value, plain);
    }
    for (const value of found) freeze(value);
    for (const value of found) frozen.add(value);
  };

  // What it gives can be had in no other way, and is frozen when it is first asked for: to make one takes 15 ms of a new process.
  const { prototype: segmenter } = Intl.Segmenter;
  const { segment } = segmenter;
  let hasSegmented = false;
  hide(
    segmenter,
    'segment',
    {
      segment(this: Intl.Segmenter, text: string): Intl.Segments {
        const segments = apply(segment, this, [text]) as Intl.Segments;
        if (!hasSegmented) {
          freezeFrom(getPrototypeOf(segments)!, getPrototypeOf(segments[Symbol.iterator]())!);
          hasSegmented = true;
        }
        return segments;
      },
    }.segment,
  );

  freezeFrom(global, ...(hidden as object[]));

  return {
    realNow,
    setClock(next) {
      now = next;
    },
    setRandom(next) {
      random = next;
    },
    setConsole(next) {
      write = next;
    },
  };
}
