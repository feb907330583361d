// The check of both kinds of ends that no secret comes out: not in an error, not in a result of check(), not in the log.

import assert from 'node:assert/strict';
import { toSluiceError } from '../errors.ts';
import type { CheckResult, Context } from '../plugin.ts';
import type { ObjectSchema } from '../schema.ts';
import { assertHidden, decoded, kitContext, within } from './context.ts';
import type { Broken } from './model.ts';

interface CheckedPart {
  readonly config: ObjectSchema;
  check?(config: unknown, context: Context): Promise<readonly CheckResult[]>;
}

/** `use` makes the end and uses it, which must fail; what it gives is shown to somebody, and so looked at too. */
export async function assertNoSecret(
  part: CheckedPart,
  { config, auth, secret }: Broken,
  patience: number,
  use: (config: unknown, context: Context) => Promise<readonly unknown[]>,
): Promise<void> {
  const context = kitContext({ auth });
  const shown: unknown[] = [];
  const good = decoded(part.config, config);
  let found: readonly CheckResult[] | null = null;
  let worked = false;
  try {
    if (part.check !== undefined) found = await within(patience, 'check', part.check(good, context));
    const given = await use(good, context);
    worked = given.length === 0;
    shown.push(...given);
  } catch (error) {
    shown.push(error, toSluiceError(error).toJSON());
  }
  assertHidden(secret, [...shown, found, ...context.logged]);
  // not within the try, which would take these for what the plugin threw
  if (found !== null) {
    const wrong = found.some((result) => !result.ok);
    assert.ok(wrong, 'check found nothing wrong with the broken configuration');
  }
  assert.ok(!worked, 'the broken configuration worked');
}
