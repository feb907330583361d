// From JSONata's tree to JavaScript: one function from the context to the value, that calls the runtime (runtime.ts) for
// whatever is not plain. Variables become JavaScript's own, and functions closures, so that nothing is looked up by name.
// Guarantee: the code does what the reference does, in its order, or throws `deopt`. Nothing of the author's text is put into
// it but as JSON. Long because every kind of node may hold every other: its writers call each other, and share one list of
// what is made once. Refuses (NotCompiled) what it does not know; such an expression runs without promises, or in the reference.

import { type Group, type JsonataNode, nodesOf, type Pair, type Stage } from './ast.ts';

/** Why an expression is not compiled. */
export class NotCompiled extends Error {}

export interface Compilation {
  /** Evaluates to a function `(R, K) => (context, root, event) => value`; R is the runtime, K the constants. */
  readonly js: string;
}

/**
 * What a value can be, as far as it is known: `bool` is never missing, `plain` is no array and no function; `raw` is any value
 * that evaluate() still has to take apart if it is a sequence of none or one.
 */
type Kind = 'bool' | 'plain' | 'any' | 'raw';
interface Code {
  readonly js: string;
  readonly kind: Kind;
}

/** A JavaScript function that is being written. */
interface Body {
  readonly locals: string[];
}

interface Variable {
  readonly js: string;
  /** Whether it is assigned for certain where the code is that is being written now. */
  assigned: boolean;
}

interface Scope {
  readonly outer: Scope | null;
  readonly variables: Map<string, Variable>;
}

interface Place {
  /** The name of the context. */
  readonly c: string;
  /** The context may be the root array, which stands in a sequence of its own. */
  readonly root: boolean;
  /** The context is known to be no array. */
  readonly single: boolean;
  /** How many times what is written here is written, as a power of two. */
  readonly twice: number;
  readonly scope: Scope;
  readonly body: Body;
}

// names that objects have without having them, and those of a function that is an object
const INHERITED = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  'implementation',
  'signature',
  'token',
  'position',
  '_jsonata_function',
  '_jsonata_lambda',
]);
const DOTTED = /^[A-Za-z_$][A-Za-z0-9_$]*$/;
/** An object's values are written for a context that is no array, and once more for one that is: nested, that doubles. */
const MOST_TWICE = 4;
const ARITHMETIC: Readonly<Record<string, string>> = { '+': 'add', '-': 'sub', '*': 'mul', '/': 'div', '%': 'mod' };
const ORDER: Readonly<Record<string, string>> = { '<': 'lt', '<=': 'le', '>': 'gt', '>=': 'ge' };
const QUICK: Readonly<Record<string, Kind>> = Object.fromEntries(
  'sum count average max min uppercase lowercase string number floor ceil abs not boolean'
    .split(' ')
    .map((name) => [name, 'plain']),
);

/**
 * `careful`: the code evaluates every part of a constructor, also after one has failed, and so knows whether the failure is the
 * only one; and errors get the places that the reference gives them. It is slower, and run for events that failed.
 * @throws NotCompiled
 */
export function compileTree(tree: JsonataNode, constants: readonly string[], careful = false): Compilation {
  let next = 0;
  const fresh = (prefix: string): string => `${prefix}${next++}`;
  const hoisted: string[] = [];
  const known = new Map<string, string>();
  /** Something that is made once: the same code gives the same name. */
  const once = (prefix: string, js: string): string => {
    let name = known.get(js);
    if (name === undefined) {
      name = fresh(prefix);
      known.set(js, name);
      hoisted.push(`const ${name} = ${js};`);
    }
    return name;
  };

  const text = (value: unknown): string =>
    Object.is(value, -0) ? '-0' : value === undefined ? 'undefined' : JSON.stringify(value);
  const at = (node: { readonly position?: number }): string => String(node.position ?? 0);

  // ---- functions and variables of JavaScript ----

  /** A function of one context, which may close over what is around it. */
  function step(place: Place, write: (inner: Place) => string, root = false): string {
    const c = fresh('c');
    const body: Body = { locals: [] };
    const js = write({ ...place, c, root, single: false, body });
    if (body.locals.length === 0) return `(${c}) => ${js.startsWith('{') ? `(${js})` : js}`;
    return `(${c}) => { let ${body.locals.join(', ')}; return ${js}; }`;
  }
  /** A function of nothing. */
  function later(place: Place, write: (inner: Place) => string): string {
    const body: Body = { locals: [] };
    const js = write({ ...place, body });
    return body.locals.length === 0 ? `() => (${js})` : `() => { let ${body.locals.join(', ')}; return ${js}; }`;
  }
  const local = (place: Place, start?: string): string => {
    const name = fresh('v');
    place.body.locals.push(start === undefined ? name : `${name} = ${start}`);
    return name;
  };

  /** The variables that are assigned in these nodes and belong to the frame around them. */
  function frameOf(outer: Scope | null, nodes: readonly JsonataNode[], body: Body): Scope {
    const variables = new Map<string, Variable>();
    for (const node of nodes) {
      for (const part of nodesOf(node, (one) => one.type !== 'block' && one.type !== 'lambda')) {
        if (part.type !== 'bind') continue;
        const name = (part.lhs as JsonataNode).value as string;
        if (variables.has(name)) continue;
        const js = fresh('x');
        body.locals.push(`${js} = U`);
        variables.set(name, { js, assigned: false });
      }
    }
    return { outer, variables };
  }

  function variable(name: string, scope: Scope | null): string {
    for (let one = scope; one !== null; one = one.outer) {
      const found = one.variables.get(name);
      if (found === undefined) continue;
      if (found.assigned) return found.js;
      return `(${found.js} !== U ? ${found.js} : ${variable(name, one.outer)})`;
    }
    return global(name);
  }
  const isOwn = (name: string, scope: Scope | null): boolean => {
    for (let one = scope; one !== null; one = one.outer) if (one.variables.has(name)) return true;
    return constants.includes(name) || name === 'event' || name === '$';
  };
  function global(name: string): string {
    if (name === '$') return 'root';
    if (name === 'event') return 'event()';
    if (constants.includes(name)) return `K[${text(name)}]`;
    return builtin(name);
  }
  const builtin = (name: string): string => once('b', `R.builtin(${text(name)})`);

  // ---- nodes ----

  /** The whole of the reference's evaluate(): the node, its predicates, its group, and the end that takes sequences apart. */
  function write(node: JsonataNode, place: Place): Code {
    refuseTuples(node);
    if (node.type === 'path') return writePath(node, place);
    const { kind, js } = writeNode(node, place);
    const predicates = node.predicate ?? [];
    if (predicates.length === 0 && node.group === undefined) {
      if (kind !== 'raw') return { kind, js };
      return any(`${node.keepArray === true ? 'normKeep' : 'norm'}(${js})`);
    }
    let value = js;
    for (const stage of predicates) value = filtered(stage, value, place);
    if (node.group !== undefined) value = grouped(node.group, value, place);
    return any(`${node.keepArray === true ? 'normKeep' : 'norm'}(${value})`);
  }
  const any = (js: string): Code => ({ js, kind: 'any' });
  const raw = (js: string): Code => ({ js, kind: 'raw' });
  const plain = (js: string): Code => ({ js, kind: 'plain' });
  /** A value that passes a node as it is: evaluate() ends there once more. */
  const passed = ({ js, kind }: Code): Code => (kind === 'any' ? raw(js) : { js, kind });

  function writeNode(node: JsonataNode, place: Place): Code {
    switch (node.type) {
      case 'number':
      case 'string':
      case 'value':
        return { js: text(node.value), kind: typeof node.value === 'boolean' ? 'bool' : 'plain' };
      case 'name':
        return any(`${getter(node.value as string)}(${place.c})`);
      case 'variable':
        if (node.value !== '') return raw(variable(node.value as string, place.scope));
        return raw(place.root ? `inner(${place.c})` : place.c);
      case 'wildcard':
        return raw(`wildcard(${place.c})`);
      case 'descendant':
        return raw(`descendants(${place.c})`);
      case 'regex': {
        // the parser copies the left of `?:` through JSON, and what is no JSON is lost there
        if (!(node.value instanceof RegExp)) throw new NotCompiled('it has a regular expression on the left of ?:');
        const { value } = node;
        return any(`regex(${once('r', `new RegExp(${text(value.source)}, ${text(value.flags)})`)}, ${at(node)})`);
      }
      case 'binary':
        return writeBinary(node, place);
      case 'unary':
        return writeUnary(node, place);
      case 'condition':
        return writeCondition(node, place);
      case 'block':
        return writeBlock(node, place);
      case 'bind':
        return writeBind(node, place);
      case 'lambda':
        // a tail call is made once its lambda has ended; a block around it would filter, group or keep what is not yet called
        if (node.thunk === true) throw new NotCompiled('it filters, groups or keeps a tail call');
        return any(writeLambda(node, place));
      case 'function':
        return writeCall(node, place, null);
      case 'apply':
        return writeApply(node, place);
      case 'transform':
        return any(writeTransform(node, place));
      default:
        throw new NotCompiled(node.type === 'partial' ? 'it applies a function partially' : `it has a ${node.type}`);
    }
  }

  function writeBinary(node: JsonataNode, place: Place): Code {
    const op = node.value as string;
    const l = write(node.lhs as JsonataNode, place);
    const r = write(node.rhs!, place);
    if (op === 'and' || op === 'or') {
      const right = careful ? `sided(${later(place, () => test(r))}, ${at(node)}, ${text(op)})` : test(r);
      return { js: `(${test(l)} ${op === 'and' ? '&&' : '||'} ${right})`, kind: 'bool' };
    }
    const arithmetic = ARITHMETIC[op] ?? ORDER[op];
    if (arithmetic !== undefined) return plain(`${arithmetic}(${l.js}, ${r.js}, ${at(node)})`);
    switch (op) {
      case '=':
        return { js: `eq(${l.js}, ${r.js})`, kind: 'bool' };
      case '!=':
        return { js: `ne(${l.js}, ${r.js})`, kind: 'bool' };
      case '&':
        return plain(`concat(${l.js}, ${r.js}, ${at(node)})`);
      case '..':
        return raw(`range(${l.js}, ${r.js}, ${at(node)})`);
      case 'in':
        return { js: `within(${l.js}, ${r.js})`, kind: 'bool' };
      default:
        throw new NotCompiled(`it has the operator ${op}`);
    }
  }
  const test = (code: Code): string => (code.kind === 'bool' ? code.js : `truthy(${code.js})`);

  function writeUnary(node: JsonataNode, place: Place): Code {
    if (node.value === '-') return plain(`minus(${write(node.expression!, place).js}, ${at(node)})`);
    if (node.value === '{') {
      const pairs = node.lhs as readonly Pair[];
      return {
        js: grouped(
          { lhs: pairs, ...(node.position === undefined ? {} : { position: node.position }) },
          place.c,
          place,
        ),
        kind: 'plain',
      };
    }
    const items = node.expressions ?? [];
    const values = items.map((item) => write(item, place).js);
    const nested = items.map((item) => item.value === '[');
    const marks = nested.includes(true) ? once('n', JSON.stringify(nested)) : 'null';
    const list =
      careful && values.length > 1
        ? `all([${values.map((one) => `() => (${one})`).join(', ')}])`
        : `[${values.join(', ')}]`;
    return any(`array(${list}, ${marks}, ${node.consarray === true})`);
  }

  function writeCondition(node: JsonataNode, place: Place): Code {
    const condition = test(write(node.condition!, place));
    const yes = write(node.then!, place);
    const no = node.else === undefined ? plain('undefined') : write(node.else, place);
    const kind = yes.kind === no.kind ? yes.kind : yes.kind === 'any' || no.kind === 'any' ? 'any' : 'plain';
    return passed({ js: `(${condition} ? ${yes.js} : ${no.js})`, kind });
  }

  function writeBlock(node: JsonataNode, place: Place): Code {
    const parts = node.expressions ?? [];
    if (parts.length === 0) return plain('undefined');
    const scope = frameOf(place.scope, parts, place.body);
    const inner = { ...place, scope };
    const codes = parts.map((part) => {
      const code = write(part, inner);
      if (part.type === 'bind') assigned(part, scope);
      return code;
    });
    const last = passed(codes.at(-1)!);
    if (codes.length === 1) return last;
    return { js: `(${[...codes.slice(0, -1).map((code) => code.js), last.js].join(', ')})`, kind: last.kind };
  }
  function assigned(bind: JsonataNode, scope: Scope): void {
    const found = scope.variables.get((bind.lhs as JsonataNode).value as string);
    if (found !== undefined) found.assigned = true;
  }

  function writeBind(node: JsonataNode, place: Place): Code {
    const name = (node.lhs as JsonataNode).value as string;
    const found = place.scope.variables.get(name);
    if (found === undefined) throw new NotCompiled('it assigns a variable of another frame');
    const before = found.assigned;
    if (node.rhs!.type === 'lambda' && node.rhs!.predicate === undefined) found.assigned = true; // runs only once it is assigned
    const value = write(node.rhs!, place);
    found.assigned = before;
    return passed({ js: `(${found.js} = ${value.js})`, kind: value.kind });
  }

  // ---- paths ----

  /** A function that gives a name's value in one item, as evaluate() does. */
  function getter(key: string): string {
    if (INHERITED.has(key) || !DOTTED.test(key)) {
      if (INHERITED.has(key)) return once('g', `(o) => look(o, ${text(key)})`);
      return once('g', getterOf(`o[${text(key)}]`, key));
    }
    return once('g', getterOf(`o.${key}`, key));
  }
  const getterOf = (read: string, key: string): string =>
    `(o) => typeof o !== 'object' || o === null ? undefined : isArray(o) ? lookArray(o, ${text(key)}) : ${read}`;

  function writePath(node: JsonataNode, place: Place): Code {
    const steps = node.steps!;
    if (node.predicate !== undefined) throw new NotCompiled('it filters a path as a whole');
    const keep = node.keepSingletonArray === true || node.keepArray === true;
    const simple = steps.every((one) => one.type === 'name' && one.stages === undefined && one.group === undefined);
    for (const one of steps) refuseTuples(one);
    if (simple && !keep && node.group === undefined) {
      return any(`${namePath(steps.map((one) => one.value as string))}(${place.c})`);
    }
    const constructed = steps[0]!.consarray === true;
    const absolute = steps[0]!.type === 'variable';
    const whole = steps.map((one) => one.type === 'sort');
    const functions = steps.map((one, i) => writeStep(one, place, i));
    const list = `[${functions.join(', ')}]`;
    const marks = whole.includes(true) ? once('w', JSON.stringify(whole)) : 'null';
    if (!keep && !constructed && node.group === undefined) {
      return any(`path(${place.c}, ${absolute}, ${list}, ${marks})`);
    }
    const { c } = place;
    let js = `sequenceOf(${c}, ${absolute}, ${list}, ${marks}, ${node.keepSingletonArray === true}, ${constructed})`;
    if (node.group !== undefined) js = grouped(node.group, js, place);
    return any(`${node.keepArray === true ? 'normKeep' : 'norm'}(${js})`);
  }

  /** evaluate() of a step for one item, and its stages; of a sort, for the whole sequence. */
  function writeStep(node: JsonataNode, place: Place, index: number): string {
    const stages = node.stages ?? [];
    if (node.type === 'sort') {
      const terms = node.terms!.map((term) => step(place, (inner) => write(term.expression, inner).js));
      const down = once('n', JSON.stringify(node.terms!.map((term) => term.descending)));
      return step(place, (inner) => {
        let js = `sort(${inner.c}, [${terms.join(', ')}], ${down}, ${at(node)})`;
        for (const stage of stages) js = filtered(stage, js, inner);
        return js;
      });
    }
    if (node.type === 'name' && stages.length === 0 && node.group === undefined && node.keepArray !== true) {
      return getter(node.value as string);
    }
    // an item of the first step may be the root array in its sequence
    const root = place.root && index === 0 && (node.type === 'variable' || node.consarray === true);
    return step(
      place,
      (inner) => {
        let { js } = write(withoutStages(node), inner);
        for (const stage of stages) js = filtered(stage, js, inner);
        return js;
      },
      root,
    );
  }
  const withoutStages = (node: JsonataNode): JsonataNode =>
    node.stages === undefined
      ? node
      : new Proxy(node, { get: (of, key) => (key === 'stages' ? undefined : Reflect.get(of, key)) });

  /** a.b.c, all names: straight on while there are objects, the general way from the first array. */
  function namePath(keys: readonly string[]): string {
    if (keys.length === 1) return once('p', lastGetter(keys[0]!));
    if (keys.some((key) => INHERITED.has(key))) {
      return once('p', `(c) => path(c, false, [${keys.map(getter).join(', ')}], null)`);
    }
    const list = once('l', `[${keys.map(getter).join(', ')}]`);
    const lines = [`(c) => {`, `  if (typeof c !== 'object' || c === null) return undefined;`];
    lines.push(`  if (isArray(c)) return path(c, false, ${list}, null);`);
    let from = 'c';
    keys.forEach((key, i) => {
      const value = `v${i}`;
      lines.push(`  const ${value} = ${from}${DOTTED.test(key) ? `.${key}` : `[${text(key)}]`};`);
      if (i === keys.length - 1) {
        lines.push(
          `  return typeof ${value} === 'object' && ${value} !== null && isArray(${value}) ? lastArray(${value}) : ${value};`,
        );
      } else {
        lines.push(`  if (typeof ${value} !== 'object' || ${value} === null) return undefined;`);
        lines.push(
          `  if (isArray(${value})) return norm(along(${value}.cons ? [${value}] : ${value}, ${i + 1}, ${list}, null));`,
        );
      }
      from = value;
    });
    return once('p', `${lines.join('\n')}\n}`);
  }
  function lastGetter(key: string): string {
    const get = getter(key);
    return `(c) => {
  if (isArray(c)) return path(c, false, ${once('l', `[${get}]`)}, null);
  const v = ${get}(c);
  return typeof v === 'object' && v !== null && isArray(v) ? lastArray(v) : v;
}`;
  }

  function filtered(stage: Stage, js: string, place: Place): string {
    if (stage.type !== 'filter') throw new NotCompiled('it binds positions');
    const { expr } = stage;
    if (expr.type === 'number') return `pickAt(${js}, ${text(expr.value)})`;
    return `filter(${js}, ${step(place, (inner) => write(expr, inner).js)})`;
  }

  function grouped(group: Group, js: string, place: Place): string {
    const pairs = group.lhs;
    const keys = pairs.map(([key]) =>
      key.type === 'string' && key.predicate === undefined ? (key.value as string) : null,
    );
    const names = keys.filter((key) => key !== null);
    const fixed = names.length === pairs.length && new Set(names).size === names.length && !names.some(isReserved);
    const general = (context: string, where: Place): string => {
      const keyFunctions = pairs.map(([key]) => step(where, (inner) => write(key, inner).js));
      const valueFunctions = pairs.map(([, value]) => step(where, (inner) => write(value, inner).js));
      return `group(${context}, [${keyFunctions.join(', ')}], [${valueFunctions.join(', ')}], ${at(group)}, ${careful})`;
    };
    if (careful || !fixed || js !== place.c || pairs.length === 0) return general(js, place);
    if (!place.single && place.twice >= MOST_TWICE) return general(js, place);
    // an object of constant keys, on a context that is no array: its values straight away
    const same = { ...place, root: false, single: true };
    const inner = place.single ? same : { ...same, twice: place.twice + 1 };
    const values = pairs.map(([, value]) => write(value, inner));
    const locals = values.map(() => local(place));
    const missing = values.map(({ kind, js: value }, i) =>
      kind === 'bool' ? `(${locals[i]} = ${value}, false)` : `(${locals[i]} = ${value}) === undefined`,
    );
    const literal = `{ ${names.map((key, i) => `${text(key)}: ${locals[i]}`).join(', ')} }`;
    const list = once('k', JSON.stringify(names));
    const made = `(${missing.map((one) => `(${one})`).join(' | ')} ? sparse(${list}, [${locals.join(', ')}]) : (${literal}))`;
    return place.single ? made : `(isArray(${js}) ? ${general(js, { ...place, twice: place.twice + 1 })} : ${made})`;
  }
  const isReserved = (key: string): boolean =>
    key === '__proto__' || key === '_jsonata_lambda' || key === '_jsonata_function';

  // ---- functions ----

  function writeLambda(node: JsonataNode, place: Place): string {
    const { tails, params, js } = lambdaBody(node, place);
    if (node.signature !== undefined && typeof node.signature.validate !== 'function') {
      throw new NotCompiled('it has a signature on the left of ?:');
    }
    const signature = node.signature === undefined ? 'null' : text(node.signature.definition);
    return `lambda(${params}, ${signature}, ${tails ? js : 'null'}, ${tails ? 'null' : js})`;
  }
  function lambdaBody(node: JsonataNode, place: Place): { tails: boolean; params: number; js: string } {
    const names = (node.arguments ?? []).map((param) => param.value as string);
    const body = node.body!;
    const params = names.map(() => fresh('a'));
    const inner: Body = { locals: [] };
    const own = frameOf(place.scope, [body], inner);
    // a parameter and an assignment of its name are one variable
    names.forEach((name, i) => {
      const found = own.variables.get(name);
      if (found !== undefined) inner.locals.splice(inner.locals.indexOf(`${found.js} = U`), 1);
      own.variables.set(name, { js: params[i]!, assigned: true });
    });
    const where: Place = { ...place, scope: own, body: inner };
    const tails = endsInCall(body);
    const js = writeTail(body, where, 0);
    const head = `(${params.join(', ')}) =>`;
    const code =
      inner.locals.length === 0 ? `${head} (${js})` : `${head} { let ${inner.locals.join(', ')}; return ${js}; }`;
    return { tails, params: names.length, js: code };
  }
  function endsInCall(node: JsonataNode): boolean {
    if (node.type === 'lambda') return node.thunk === true;
    if (node.predicate !== undefined || node.group !== undefined || node.keepArray === true) return false;
    if (node.type === 'condition') return endsInCall(node.then!) || (node.else !== undefined && endsInCall(node.else));
    if (node.type === 'block') return (node.expressions?.length ?? 0) > 0 && endsInCall(node.expressions!.at(-1)!);
    return false;
  }
  /** A lambda's result, where a call is left to the caller. `around`: the nodes it passes through, each of which ends it once more. */
  function writeTail(node: JsonataNode, place: Place, around: number): string {
    if (!endsInCall(node)) {
      const { js, kind } = write(node, place);
      return kind === 'any' ? `${'norm('.repeat(around)}${js}${')'.repeat(around)}` : js;
    }
    if (node.type === 'condition') {
      const no = node.else === undefined ? 'undefined' : writeTail(node.else, place, around + 1);
      return `(${test(write(node.condition!, place))} ? ${writeTail(node.then!, place, around + 1)} : ${no})`;
    }
    if (node.type === 'block') {
      const parts = node.expressions!;
      const scope = frameOf(place.scope, parts, place.body);
      const inner = { ...place, scope };
      const codes = parts.map((part, i) => {
        if (i === parts.length - 1) return writeTail(part, inner, around + 1);
        const { js } = write(part, inner);
        if (part.type === 'bind') assigned(part, scope);
        return js;
      });
      return `(${codes.join(', ')})`;
    }
    const target = node.body!;
    const procedure = target.procedure!;
    if (procedure.type === 'path') throw new NotCompiled('it calls a name without $');
    if (careful) {
      const token = procedure.type === 'variable' ? text(procedure.value) : 'undefined';
      const f = later(place, (inner) => write(procedure, inner).js);
      const list = later(place, (inner) => `[${target.arguments!.map((arg) => write(arg, inner).js).join(', ')}]`);
      return `later(${f}, ${list}, ${at(procedure)}, ${token})`;
    }
    const args = target.arguments!.map((arg) => write(arg, place).js);
    return `tail(${write(procedure, place).js}, [${args.join(', ')}])`;
  }

  /** `first`: what `~>` puts before the other arguments. */
  function writeCall(node: JsonataNode, place: Place, first: string | null): Code {
    const procedure = node.procedure!;
    const args = node.arguments!;
    if (args.some((arg) => arg.type === 'operator')) throw new NotCompiled('it applies a function partially');
    const name = procedure.type === 'path' ? procedure.steps![0]!.value : procedure.value;
    const isBuiltin =
      procedure.type === 'variable' &&
      typeof name === 'string' &&
      name !== '' &&
      procedure.predicate === undefined &&
      procedure.group === undefined &&
      !isOwn(name, place.scope);
    if (isBuiltin) {
      const quick = quickCall(node, name, place, first);
      if (quick !== null) return quick;
    }
    let f = isBuiltin ? builtin(name) : write(procedure, place).js;
    if (procedure.type === 'path') {
      if (isOwn(String(name), place.scope)) throw new NotCompiled('it calls a name that is a variable without its $');
      f = `hinted(${f}, ${text(String(name))}, ${at(node)})`;
    }
    // what `~>` hands over is evaluated before what it is handed to
    const held = first === null || isBuiltin ? first : local(place);
    const [before, after] = held === first ? ['', ''] : [`(${held} = ${first}, `, ')'];
    const list = [...(held === null ? [] : [held]), ...args.map((arg) => write(arg, place).js)];
    return raw(`${before}call(${f}, [${list.join(', ')}], ${place.c}, ${at(node)}, ${text(name)})${after}`);
  }

  function quickCall(node: JsonataNode, name: string, place: Place, first: string | null): Code | null {
    const args = node.arguments!;
    const count = args.length + (first === null ? 0 : 1);
    const slow = (list: readonly string[]): string =>
      `call(${builtin(name)}, [${list.join(', ')}], ${place.c}, ${at(node)}, ${text(name)})`;
    if (count === 1 && Object.hasOwn(QUICK, name)) {
      const value = first ?? write(args[0]!, place).js;
      const held = local(place);
      const found = local(place);
      const quick = once('q', `R.quick[${text(name)}]`);
      return plain(`((${found} = ${quick}(${held} = ${value})) !== null ? ${found} : ${slow([held])})`);
    }
    if (count === 1 && name === 'exists') {
      return { js: `((${first ?? write(args[0]!, place).js}) !== undefined)`, kind: 'bool' };
    }
    const callback = args.at(-1);
    if (!careful && (name === 'map' || name === 'filter') && count === 2 && callback?.type === 'lambda') {
      if (callback.signature !== undefined || callback.predicate !== undefined) return null;
      const value = first ?? write(args[0]!, place).js;
      const { tails, params, js } = lambdaBody(callback, place);
      if (params === 0 || params > 3) return null;
      const rest = ['a', 'b', 'c'].slice(0, params).join(', ');
      return raw(
        `${name === 'map' ? 'map' : 'where'}(${value}, ${tails ? `((f) => (${rest}) => untail(f(${rest}), null))(${js})` : js})`,
      );
    }
    return null;
  }

  function writeApply(node: JsonataNode, place: Place): Code {
    const l = write(node.lhs as JsonataNode, place);
    const rhs = node.rhs!;
    if (rhs.type !== 'function') return raw(`pipe(${l.js}, ${write(rhs, place).js}, ${at(node)})`);
    return writeCall(rhs, place, l.js); // called, not evaluated: the reference leaves out its predicates
  }

  function writeTransform(node: JsonataNode, place: Place): string {
    if (isOwn('clone', place.scope)) throw new NotCompiled('it changes what it did not copy'); // a constant, perhaps
    const parts = [node.pattern!, node.update!, node.delete];
    const [pattern, update, remove] = parts.map((part) =>
      part === undefined ? 'null' : step(place, (inner) => write(part, inner).js),
    );
    const places = parts.map((part, i) => (i === 0 ? (node.position ?? 0) : (part?.position ?? 0)));
    return `transform(${pattern}, ${update}, ${remove}, ${once('n', JSON.stringify(places))}, () => ${variable('clone', place.scope)})`;
  }

  const rootBody: Body = { locals: [] };
  const scope = frameOf(null, [tree], rootBody);
  const { js } = write(tree, { c: 'c', root: true, single: false, twice: 0, scope, body: rootBody });
  const locals = rootBody.locals.length === 0 ? '' : `let ${rootBody.locals.join(', ')};`;
  const names = RUNTIME_NAMES.join(', ');
  return {
    js: `(R, K) => {
'use strict';
const { ${names} } = R;
const inner = (c) => (c && c.outerWrapper ? c[0] : c);
${hoisted.join('\n')}
return (c, root, event) => { ${locals} return ${js}; };
}`,
  };
}

function refuseTuples(node: JsonataNode): void {
  if (node.tuple === true || node.focus !== undefined || node.index !== undefined || node.ancestor !== undefined) {
    throw new NotCompiled('it binds variables along a path (@, # or %)');
  }
}

const RUNTIME_NAMES = [
  ...[
    'U',
    'norm',
    'normKeep',
    'truthy',
    'sided',
    'hinted',
    'add',
    'sub',
    'mul',
    'div',
    'mod',
    'lt',
    'le',
    'gt',
    'ge',
    'eq',
    'ne',
  ],
  ...['concat', 'range', 'within', 'minus', 'lookArray', 'look', 'lastArray', 'path', 'along', 'sequenceOf', 'filter'],
  ...[
    'pickAt',
    'all',
    'group',
    'sparse',
    'array',
    'sort',
    'wildcard',
    'descendants',
    'regex',
    'tail',
    'later',
    'call',
    'pipe',
    'lambda',
  ],
  ...['untail', 'transform', 'map', 'where', 'isArray'],
];
