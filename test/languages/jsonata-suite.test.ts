// The official JSONata cases through the real sandbox, in both lanes: one in forty, all of them with `npm run test:long`.
// `npm run conformance` runs all and says how many are compiled.

import { expect, test } from 'vitest';
import { long } from '../long.ts';
import { type Outcome, readSuite, runSuite } from './jsonata-suite.ts';

const suite = readSuite();
if (suite === null) console.log('the official JSONata cases are not here: SLUICE_JSONATA_SUITE names their file');

const cases = suite?.cases.filter((one, i) => (long || i % 40 === 7) && one.code !== 'U1001') ?? [];

for (const lane of ['fast', 'reference'] as const) {
  test.skipIf(suite === null)(`the official cases pass in the ${lane} lane`, { timeout: 1_200_000 }, async () => {
    const failed: Outcome[] = [];
    for await (const outcome of runSuite(suite!, cases, lane)) if (!outcome.passed) failed.push(outcome);
    expect(failed.map((one) => [one.case.name, one.case.expr, one.found])).toEqual([]);
    expect(cases.length).toBeGreaterThan(20);
  });
}
