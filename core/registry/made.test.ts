// What a plugin's create() made: whole, or told by what it lacks.

import { describe, expect, test } from 'vitest';
import { definePlugin, isPluginDefinition, type PluginDefinition } from '../plugin.ts';
import { lookedAfter } from './made.ts';

const config = { type: 'object', additionalProperties: false, properties: {} } as const;
const none = async (): Promise<void> => undefined;
const whole = {
  source: { async *read() {}, ack: none, [Symbol.asyncDispose]: none },
  sink: { keyed: false, write: async () => [], [Symbol.asyncDispose]: none },
  transform: { apply: none, [Symbol.asyncDispose]: none },
};
type Kind = keyof typeof whole;

function plugin(kind: Kind, made: unknown): PluginDefinition {
  const part = { config, positionVersion: 1, create: () => made as never };
  return lookedAfter(definePlugin({ name: 'p', [kind]: part }), '/p/index.ts');
}
const create = async (kind: Kind, made: unknown): Promise<unknown> =>
  await plugin(kind, made)[kind]!.create({}, {} as never);

test.each(['source', 'sink', 'transform'] as const)('a whole %s is given as it was made', async (kind) => {
  expect(await create(kind, whole[kind])).toBe(whole[kind]);
  expect(isPluginDefinition(plugin(kind, null))).toBe(true);
  expect(plugin(kind, null)[kind]).toMatchObject({ config, positionVersion: 1 });
});

describe('what lacks a function is no absence to wait for', () => {
  const without = (kind: Kind, name: string | symbol) => ({ ...whole[kind], [name]: undefined });
  test.each<[Kind, unknown, string]>([
    ['source', undefined, 'read()'],
    ['source', without('source', 'ack'), 'ack()'],
    ['source', without('source', Symbol.asyncDispose), '[Symbol.asyncDispose]()'],
    ['sink', 7, 'write()'],
    ['sink', without('sink', 'keyed'), '`keyed`'],
    ['sink', { ...whole.sink, state: { restore: none } }, 'state.flush()'],
    ['sink', { ...whole.sink, transactional: {} }, 'transactional.load()'],
    ['transform', {}, 'apply()'],
  ])('a %s', async (kind, made, what) => {
    await expect(create(kind, made)).rejects.toMatchObject({
      code: 'E_PLUGIN_SHAPE',
      permanent: true,
      message: expect.stringContaining(`has no ${what}`),
      at: { file: '/p/index.ts' },
    });
  });
});
