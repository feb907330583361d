// The inside half of the JavaScript language: evaluates the compiled modules once, and runs their bodies anew whenever it is
// asked, so that nothing an event leaves in a module is there for the next one.
// Sent to the isolate as text, so it uses nothing from outside of its body.

import type { GuestLanguage } from 'sluice/sdk';

/** The compiled text: modules in the order of their numbers; module 0 is the transform itself. */
export interface CompiledModules {
  readonly modules: readonly string[];
}

export function javascriptGuest(): GuestLanguage {
  type Module = (exports: object, use: (number: number) => object) => void;
  // biome-ignore lint/security/noGlobalEval: this runs in the isolate, whose purpose it is
  const evaluate = eval;
  return (text) => {
    const { modules } = JSON.parse(text) as CompiledModules;
    const bodies = modules.map((code) => evaluate(code) as Module);
    const first = bodies[0]!;
    if (bodies.length === 1) {
      return () => {
        const exports: { default?: unknown } = {};
        first(exports, none);
        return exports.default;
      };
    }
    return () => {
      const made: object[] = [];
      const use = (number: number): object => {
        const known = made[number];
        if (known !== undefined) return known;
        const exports = { __proto__: null };
        made[number] = exports;
        bodies[number]!(exports, use);
        return exports;
      };
      return (use(0) as { default?: unknown }).default;
    };
    function none(): object {
      return {};
    }
  };
}
