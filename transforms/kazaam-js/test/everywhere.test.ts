// The package where there is no Node: nothing of it is reachable from the main entry, and it runs in a bare realm. And what it says
// to those who hand it something else than text.

import { readFileSync } from 'node:fs';
import { createContext, runInContext } from 'node:vm';
import { expect, test } from 'vitest';
import { kazaamLibrary } from '../../kazaam/library.ts';
import { Kazaam } from '../src/index.ts';

/** The modules that the main entry leads to, with their texts. */
function reachable(from: URL, found = new Map<string, string>()): ReadonlyMap<string, string> {
  if (found.has(from.href)) return found;
  const text = readFileSync(from, 'utf8');
  found.set(from.href, text);
  for (const [, specifier] of text.matchAll(/(?:from|import\(|import) ?'([^']+)'/g)) {
    expect([from.pathname, specifier]).toEqual([from.pathname, expect.stringMatching(/^\.\.?\//)]);
    reachable(new URL(specifier!, from), found);
  }
  return found;
}

test('the main entry leads to no module of Node, and no name of Node', () => {
  const modules = reachable(new URL('../src/index.ts', import.meta.url));
  expect(modules.size).toBeGreaterThan(30);
  for (const [name, text] of modules) {
    expect([name, /\b(?:process|Buffer|require|__dirname|globalThis\.process)\b[.(]/.exec(text)?.[0]]).toEqual([
      name,
      undefined,
    ]);
  }
});

test('it runs where there is only the language, with dice that are handed to it', async () => {
  const realm = createContext({});
  runInContext(`globalThis.library = ${await kazaamLibrary()}`, realm);
  const spec = [
    { operation: 'shift', spec: { id: 'a.b', at: 't' } },
    { operation: 'timestamp', spec: { at: { inputFormat: '2006-01-02', outputFormat: 'Jan 2' } } },
    { operation: 'uuid', spec: { u: { version: 5, namespace: 'DNS', names: [{ path: 'id' }] } } },
    { operation: 'uuid', spec: { v: { version: 4 } } },
  ];
  const code = `new library.Kazaam(${JSON.stringify(JSON.stringify(spec))}, { random: () => 0.5 }).transform('{"a":{"b":"ü"},"t":"2017-05-01"}')`;
  const there = runInContext(code, realm) as string;
  const here = new Kazaam(JSON.stringify(spec), { random: () => 0.5 }).transform('{"a":{"b":"ü"},"t":"2017-05-01"}');
  expect(there).toBe(here);
  expect(JSON.parse(there)).toMatchObject({ id: 'ü', at: 'May 1' });
});

test('bytes in UTF-8 are a document, and other bytes are refused', () => {
  const kazaam = new Kazaam('[{"operation":"extract","spec":{"path":"a"}}]');
  expect(kazaam.transform(new TextEncoder().encode('{"a":"grün"}'))).toBe('"grün"');
  expect(() => kazaam.transform(new Uint8Array([0x22, 0xc3, 0x22]))).toThrow('ParseError - the bytes are not UTF-8');
});

test('what is neither text nor bytes is refused, and so is an operation that gives no text', () => {
  const kazaam = new Kazaam('[{"operation":"mine"}]', { transforms: { mine: (() => 3) as unknown as () => string } });
  for (const value of [{ a: 1 }, null, undefined, 3]) {
    expect(() => kazaam.transform(value as unknown as string)).toThrow(TypeError);
  }
  expect(() => kazaam.transform('{}')).toThrow('the operation "mine" gave a number, and no text');
  expect(() => new Kazaam('').transformValue(undefined)).toThrow('undefined is no JSON value');
});
