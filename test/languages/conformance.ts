// `npm run conformance`: the official cases of the languages, and in which lanes they ran. Ends with 1 when a case does not pass.
// An expression counts as compiled if none of its inputs left the compiled lane (the bound is 1 in 100, and none has so many).

import { type Outcome, readSuite, runSuite } from './jsonata-suite.ts';

const suite = readSuite();
if (suite === null) {
  console.log('JSONata: the official cases are not here (SLUICE_JSONATA_SUITE names their file), so none was run');
} else {
  const outcomes: Outcome[] = [];
  for await (const outcome of runSuite(suite, suite.cases)) outcomes.push(outcome);
  const language = outcomes.filter((one) => !one.guard);
  const failed = language.filter((one) => !one.passed);
  for (const { case: one, found } of failed)
    console.log(`not passed: ${one.name}: ${one.expr}\n  ${JSON.stringify(found)}`);

  const byExpression = Map.groupBy(language, (one) => one.case.expr);
  const parsed = [...byExpression.values()].filter((group) => group[0]!.lane !== 'none');
  const compiled = parsed.filter((group) => group.every((one) => one.lane === 'compiled' && one.deopts === 0));
  const share = (part: number, of: number): string => `${part} of ${of} (${((100 * part) / of).toFixed(1)} %)`;
  console.log(`JSONata: ${share(language.length - failed.length, language.length)} official cases pass`);
  console.log(
    `JSONata: ${share(compiled.length, parsed.length)} expressions that parse are compiled; of all, ${share(compiled.length, byExpression.size)}`,
  );
  const reasons = Map.groupBy(
    parsed.filter((group) => !compiled.includes(group)),
    (group) => group[0]!.why ?? 'an input left the compiled lane',
  );
  for (const [why, groups] of [...reasons].sort((a, b) => b[1].length - a[1].length))
    console.log(`  not compiled: ${groups.length}, ${why}`);
  const guards = outcomes.filter((one) => one.guard);
  console.log(
    `  beside these, ${guards.length} cases try the suite's own time box: ${guards.map((one) => `${one.case.name}: ${JSON.stringify(one.found)}`).join(', ')}`,
  );
  if (failed.length > 0) process.exitCode = 1;
}
