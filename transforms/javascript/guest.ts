// The inside half of the JavaScript language: evaluates the compiled modules once, and runs their bodies anew whenever it is
// asked, so that nothing an event leaves in a module is there for the next one.
// Sent to the isolate as text, so it uses nothing from outside of its body.

import type { GuestLanguage } from 'sluice/sdk';

/** The compiled text: modules in the order of their numbers; module 0 is the transform itself. */
export interface CompiledModules {
  readonly modules: readonly string[];
  /** Those of them that are CommonJS, by number, with the module behind each text that they require. */
  readonly commonjs: Readonly<Record<number, Readonly<Record<string, number>>>>;
  /** Names that ES modules import from CommonJS: whether they are there is known once it has run. */
  readonly wanted: readonly {
    readonly module: number;
    readonly target: number;
    readonly name: string;
    readonly line: number;
    readonly column: number;
  }[];
}

export function javascriptGuest(): GuestLanguage {
  type Module = (exports: object, use: (number: number) => object) => void;
  type Common = (module: object, exports: unknown, require: (name: unknown) => unknown, global: object) => void;
  // biome-ignore lint/security/noGlobalEval: this runs in the isolate, whose purpose it is
  const evaluate = eval;
  return (text, host) => {
    const { modules, commonjs, wanted } = JSON.parse(text) as CompiledModules;
    const bodies = modules.map((code) => evaluate(code) as unknown);
    const first = bodies[0] as Module;
    if (bodies.length === 1) {
      return () => {
        const exports: { default?: unknown } = {};
        first(exports, none);
        return exports.default;
      };
    }
    let linked = false;
    return () => {
      const made: object[] = [];
      const loaded: { exports: unknown }[] = [];
      const use = (number: number): object => {
        const known = made[number];
        if (known !== undefined) return known;
        if (commonjs[number] !== undefined) {
          const seen = namespaceOf(required(number, commonjs[number]));
          made[number] = seen;
          return seen;
        }
        const exports = { __proto__: null };
        made[number] = exports;
        (bodies[number] as Module)(exports, use);
        return exports;
      };
      const required = (number: number, names: Readonly<Record<string, number>>): unknown => {
        const known = loaded[number];
        if (known !== undefined) return known.exports;
        const module = { exports: {} as unknown };
        loaded[number] = module;
        let whole = false;
        const require = (name: unknown): unknown => {
          const target = Object.hasOwn(names, name as string) ? names[name as string]! : -1;
          if (target < 0) throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
          const its = commonjs[target];
          return its === undefined ? asRequired(use(target)) : required(target, its);
        };
        try {
          (bodies[number] as Common).call(module.exports, module, module.exports, require, globalThis);
          whole = true;
        } finally {
          if (!whole) delete loaded[number]; // as Node: it is tried again when it is required again
        }
        return module.exports;
      };
      const found = (use(0) as { default?: unknown }).default;
      if (!linked) {
        for (const { module, target, name, line, column } of wanted) {
          if (name in use(target)) continue;
          throw host.refuse('runtime', `the module has no export "${name}"`, { place: [module, line + 1, column] });
        }
        linked = true;
      }
      return found;
    };
    function none(): object {
      return {};
    }
    // As Node has it: the default is `module.exports`, and its fields are the names.
    function namespaceOf(exports: unknown): object {
      const fields = (typeof exports === 'object' || typeof exports === 'function') && exports !== null ? exports : {};
      return { __proto__: null, ...fields, default: exports };
    }
    function asRequired(namespace: object): object {
      return 'default' in namespace ? { __proto__: null, __esModule: true, ...namespace } : namespace;
    }
  };
}
