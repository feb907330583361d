// A spec, compiled once, and applied to the text of any number of documents. An instance keeps no state between documents.

import { documentText } from './bytes.ts';
import { type Context, EXTENSIONS, type Extension, type Operation } from './context.ts';
import { KazaamError, specError } from './errors.ts';
import type { SpecObject } from './go-value.ts';
import { fuse, type Lane } from './lane/fuse.ts';
import { compileOperation, isOperation } from './operations/index.ts';
import { overEach } from './over.ts';
import { located, readSpec, type Step, type StepSpec } from './spec.ts';
import { formatTime } from './time/format.ts';
import { fromUnixMillis } from './time/instant.ts';
import { intlZone } from './time/zone.ts';

/** An operation of one's own. It gets the step, and the document's text, or one element's with `over`; it returns JSON text. */
export type CustomTransform = (config: CustomConfig, text: string) => string;

export interface CustomConfig {
  /** Members in the order of the spec; null if the step has none. */
  readonly spec: SpecObject | null;
  readonly require: boolean;
  readonly inplace: boolean;
  readonly keySeparator: string;
}

export interface KazaamOptions {
  /** Operations beside the built-in ones, by name. */
  readonly transforms?: Readonly<Record<string, CustomTransform>>;
  /** The clock of `$now`: RFC 3339 text, milliseconds since 1970, or a Date. By default the system's. */
  readonly now?: () => string | number | Date;
  /** The dice of UUID 4: a number from 0 to less than 1. By default the system's secure ones. */
  readonly random?: () => number;
  /** Where Go would take its host's zone: a name of the IANA database. By default UTC. */
  readonly timeZone?: string;
  /** Documents that are not JSON are refused before anything else is done, and errors that Go passes over are thrown. */
  readonly strict?: boolean;
  /** `false`: every step by the general way, which gives the same more slowly. The tests compare the two. */
  readonly lanes?: boolean;
  /** What the original does not have, by name; `true` for all of it. */
  readonly extensions?: readonly Extension[] | true;
}

export class Kazaam {
  /** null: made from the text `null`, which Go takes and never runs. */
  readonly #steps: readonly Operation[] | null;
  readonly #lane: Lane | null;
  readonly #strict: boolean;

  /**
   * @param spec a list of steps, as JSON text or as values; the empty text stands for no change
   * @throws KazaamError SpecError if it is no list of steps with operations that are known
   */
  constructor(spec: string | readonly Step[], options: KazaamOptions = {}) {
    const context = contextOf(options);
    this.#strict = context.strict;
    const transforms = customOf(options, context);
    const steps = readSpec(spec);
    if (steps === null && context.strict) throw specError('the spec is null');
    for (const [number, { operation, place }] of (steps ?? []).entries()) {
      if (!isOperation(operation, context) && !transforms.has(operation)) {
        throw located(specError('Invalid spec operation specified'), number, place);
      }
    }
    this.#lane = context.lanes ? fuse(steps ?? [], context) : null;
    this.#steps = steps?.map((step, number) => numbered(stepOf(step, context, transforms), number)) ?? null;
  }

  /**
   * The document after all steps. Empty text gives empty text.
   * @param input the document's text, or its bytes in UTF-8
   * @throws KazaamError for the first step that fails; nothing of the result is given then
   */
  transform(input: string | Uint8Array): string {
    if (typeof input !== 'string' && !(input instanceof Uint8Array)) {
      throw new TypeError('transform() takes the text of a document or its bytes; transformValue() takes values');
    }
    const document = typeof input === 'string' ? input : documentText(input);
    if (this.#steps === null) throw specError('Kazaam not properly initialized');
    if (document === '') return '';
    if (this.#strict) assertJson(document);
    let text = this.#lane?.run(document) ?? null;
    let done = this.#lane?.steps ?? 0;
    if (text === null) {
      text = document;
      done = 0;
    }
    for (; done < this.#steps.length; done++) text = this.#steps[done]!(text);
    return text;
  }

  /** The same for values: what JSON.parse loses (digits, repeated names, the order of numeric names) is lost here too. */
  transformValue(value: unknown): unknown {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`${typeof value} is no JSON value`);
    return JSON.parse(this.transform(text));
  }
}

/**
 * What is wrong with a spec beyond what the constructor says, as far as it is sure to fail whatever the document is: Go, and the
 * constructor with it, tells such errors only when a document comes. Each has its step and its place in the text.
 * @throws KazaamError as the constructor does
 */
export function findSpecErrors(spec: string | readonly Step[], options: KazaamOptions = {}): readonly KazaamError[] {
  new Kazaam(spec, options);
  const context = contextOf(options);
  return (readSpec(spec) ?? []).flatMap((step, number): KazaamError[] => {
    if (customOf(options, context).has(step.operation)) return [];
    try {
      compileOperation(step, context)('{}');
      return [];
    } catch (error) {
      const known = located(error, number, step.place);
      return known instanceof KazaamError && isOfSpec(known) ? [known] : [];
    }
  });
}

/** On an empty document, some errors are the document's: what is required or looked for is missing. */
function isOfSpec({ type, message }: KazaamError): boolean {
  if (type === 'SpecError') return !message.endsWith('Unable to get path or default');
  return message.startsWith('ParseError - Warn: ');
}

function stepOf(step: StepSpec, context: Context, transforms: ReadonlyMap<string, CustomTransform>): Operation {
  const custom = transforms.get(step.operation);
  const { over, configured, spec, require, inplace, keySeparator } = step;
  const operation: Operation =
    custom === undefined
      ? compileOperation(step, context)
      : (text) => textOf(custom({ spec, require, inplace, keySeparator }, text), step.operation);
  return over !== null && configured ? overEach(over, operation, context.has('over-path')) : operation;
}

/** @throws TypeError what stands in JavaScript is not always what the types say */
function textOf(result: unknown, operation: string): string {
  if (typeof result === 'string') return result;
  throw new TypeError(
    `the operation "${operation}" gave ${result === null ? 'null' : `a ${typeof result}`}, and no text`,
  );
}

/** Errors know their step; what a runtime throws at hostile depth is an error of the document. */
function numbered(operation: Operation, number: number): Operation {
  return (text) => {
    try {
      return operation(text);
    } catch (error) {
      const known =
        error instanceof RangeError ? new KazaamError('ParseError', `ParseError - ${error.message}`) : error;
      // the same error may have been compiled into the step: it is thrown for each document
      if (known instanceof KazaamError) known.step = number;
      throw known;
    }
  };
}

function contextOf(options: KazaamOptions): Context {
  const { extensions = [] } = options;
  const on = new Set<Extension>(extensions === true ? EXTENSIONS : extensions);
  for (const name of on) if (!EXTENSIONS.includes(name)) throw new TypeError(`there is no extension "${name}"`);
  const { now = () => new Date(), random = secureRandom } = options;
  const zone = intlZone(options.timeZone ?? 'UTC');
  return {
    now: () => {
      const time = now();
      if (typeof time === 'string') return time;
      const millis = BigInt(Math.floor(Number(time)));
      return formatTime({ time: fromUnixMillis(millis), zone }, '2006-01-02T15:04:05.999999999Z07:00');
    },
    random,
    zone,
    strict: options.strict === true,
    lanes: options.lanes !== false,
    has: (extension) => on.has(extension),
  };
}

function customOf(options: KazaamOptions, context: Context): ReadonlyMap<string, CustomTransform> {
  const transforms = new Map(Object.entries(options.transforms ?? {}));
  for (const name of transforms.keys()) {
    if (isOperation(name, context)) throw new TypeError(`Transform with that name already registered: ${name}`);
  }
  return transforms;
}

function secureRandom(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}

function assertJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new KazaamError('ParseError', `ParseError - the document is not JSON: ${(error as Error).message}`);
  }
}
