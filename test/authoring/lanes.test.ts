// Which lane a transform runs in, and how often events left it, where operators look: metrics and `status`. And where an engine
// that is not there is pointed at.

import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { fileToFile, ndjson, pipeline, until } from '../faults/pipeline.ts';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// the compiled lane leaves a value that looks like one of the library's own functions to the next lane
const rows = [{ id: 1 }, { id: 2, name: { _jsonata_lambda: true } }, { id: 3 }];
const transformations = [
  { id: 'fast', type: 'jsonata', expression: '{ "id": id, "n": name }' },
  { id: 'slow', type: 'jsonata', expression: '{ "id": id, "r": $eval("1") }' },
  { id: 'plain', type: 'javascript', code: 'export default (row) => row;' },
];

it('metrics and status show the lanes of a running stream, and the events that left theirs', async () => {
  const port = await freePort();
  await using p = await pipeline(
    fileToFile({ service: { metrics_port: port }, source: { follow: true }, transformations }),
    { 'in.ndjson': ndjson(rows) },
  );
  const running = p.start(['run', 'sluice.json']);
  const metrics = await until('all events are counted', async () => {
    const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    );
    return text.includes('sluice_events_in{stream="s"} 3\n') ? text : null;
  });
  const labels = (transform: string): string => `stream="s",transform="${transform}"`;
  expect(metrics.split('\n').filter((line) => line.startsWith('sluice_transform_'))).toEqual([
    `sluice_transform_lane{${labels('fast')},lane="compiled"} 1`,
    `sluice_transform_lane{${labels('slow')},lane="reference"} 1`,
    `sluice_transform_events{${labels('fast')}} 3`,
    `sluice_transform_events{${labels('slow')}} 3`,
    `sluice_transform_deopts{${labels('fast')}} 1`,
    `sluice_transform_deopts{${labels('slow')}} 0`,
  ]);
  const status = await until('the live row holds them', async () => {
    const { stdout } = await p.sluice(['status', 'sluice.json']);
    return stdout.includes('1 of 3 events') ? stdout : null;
  });
  expect(status).toContain('s: fast runs in the compiled lane, 1 of 3 events in a slower one\n');
  expect(status).toMatch(/^s: slow runs in the reference lane \(.*\$eval.*\)$/m);
  await running.kill('SIGTERM');
});

it('an engine that is not installed is an error at its own setting, and `test` says to run test again', async () => {
  const engine = { id: 'old', type: 'jsonata', expression: '$', engine: 'jsonata@1.0.0' };
  await using p = await pipeline(fileToFile({ transformations: [engine] }));
  const findings = (await p.json<{ readonly findings: object[] }>(['validate'])).findings;
  expect(findings).toMatchObject([{ code: 'E_TRANSFORM_ENGINE', at: { pointer: '/transformations/0/engine' } }]);
  p.write('a.tests.yaml', 'transform: { type: javascript, code: "export default () => null" }\ntests: [{ nmae: x }]\n');
  const tested = await p.sluice(['test', 'a.tests.yaml']);
  expect([tested.code, tested.stderr]).toEqual([2, expect.stringMatching(/then run test again\.\n$/)]);
});
