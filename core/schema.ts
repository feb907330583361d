// The JSON Schema of a configuration: the only definition of it. Types, defaults, docs and forms come from here.
// A closed subset of JSON Schema 2020-12, so that all of those can show everything a schema says:
// string, integer, number, boolean, array, object, map, enum, const and anyOf. Three formats carry meaning:
// `duration` ("30s") becomes milliseconds, `size` ("64MiB") becomes bytes, `path` is resolved against the manifest's folder.

interface Common {
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly deprecated?: boolean;
  /** Masked in every message, log, description and capture. */
  readonly secret?: boolean;
  /** Accepted by nobody yet: using it is a finding that says what it waits for. */
  readonly notBuilt?: string;
}

export type ConfigSchema =
  | (Common & {
      readonly type: 'string';
      readonly enum?: readonly string[];
      readonly const?: string;
      readonly default?: string;
      readonly minLength?: number;
      readonly maxLength?: number;
      readonly pattern?: string;
      readonly format?: 'duration' | 'size' | 'path' | 'uri';
      /** Bounds of a duration or size, written as one: `least: '1ms'`. */
      readonly least?: string;
      readonly most?: string;
    })
  | (Common & {
      readonly type: 'integer' | 'number';
      readonly default?: number;
      readonly minimum?: number;
      readonly maximum?: number;
      readonly exclusiveMinimum?: number;
    })
  | (Common & { readonly type: 'boolean'; readonly default?: boolean })
  | (Common & {
      readonly type: 'array';
      readonly items: ConfigSchema;
      readonly minItems?: number;
      readonly maxItems?: number;
      readonly uniqueItems?: boolean;
      readonly default?: readonly unknown[];
    })
  | ObjectSchema
  | (Common & {
      readonly type: 'object';
      readonly additionalProperties: ConfigSchema | true;
      readonly properties?: undefined;
      readonly default?: object;
    })
  | (Common & { readonly anyOf: readonly ConfigSchema[]; readonly default?: unknown });

export interface ObjectSchema extends Common {
  readonly type: 'object';
  readonly properties: { readonly [name: string]: ConfigSchema };
  readonly required?: readonly string[];
  readonly additionalProperties: false;
  readonly default?: object;
}

type Simplify<T> = { readonly [K in keyof T]: T[K] };
type Properties = { readonly [name: string]: ConfigSchema };
type HasDefault<S> = S extends { readonly default: unknown } ? true : false;

// A field with a default is always there after validation, so it is not optional in the type.
type Present<P extends Properties, R> = {
  [K in keyof P]: K extends R ? K : HasDefault<P[K]> extends true ? K : never;
}[keyof P];
type FromObject<P extends Properties, R> = Simplify<
  { readonly [K in Present<P, R>]: FromSchema<P[K]> } & {
    readonly [K in Exclude<keyof P, Present<P, R>>]?: FromSchema<P[K]>;
  }
>;

/** The type of a configuration after validation: defaults filled in, durations in ms, sizes in bytes, paths absolute. */
export type FromSchema<S> = S extends { readonly const: infer C }
  ? C
  : S extends { readonly enum: readonly (infer E)[] }
    ? E
    : S extends { readonly type: 'string'; readonly format: 'duration' | 'size' }
      ? number
      : S extends { readonly type: 'string' }
        ? string
        : S extends { readonly type: 'integer' | 'number' }
          ? number
          : S extends { readonly type: 'boolean' }
            ? boolean
            : S extends { readonly type: 'array'; readonly items: infer I }
              ? readonly FromSchema<I>[]
              : S extends { readonly type: 'object'; readonly properties: infer P extends Properties }
                ? FromObject<P, S extends { readonly required: readonly (infer R)[] } ? R : never>
                : S extends { readonly type: 'object'; readonly additionalProperties: true }
                  ? Readonly<Record<string, unknown>>
                  : S extends { readonly type: 'object'; readonly additionalProperties: infer V }
                    ? Readonly<Record<string, FromSchema<V>>>
                    : S extends { readonly anyOf: readonly (infer A)[] }
                      ? FromSchema<A>
                      : unknown;
