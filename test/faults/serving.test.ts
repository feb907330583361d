// What a running process tells machines: metrics that sum up as the ledger does, /live and /ready, ports that are taken; and
// the two ways in which a run ends by itself.

import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { describe, expect, it } from 'vitest';
import { fileToFile, javascript, ndjson, numbered, pipeline, until } from './pipeline.ts';

async function listening(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

async function freePorts(): Promise<readonly [number, number]> {
  const two = [await listening(), await listening()] as const;
  for (const { server } of two) await new Promise((resolve) => server.close(resolve));
  return [two[0].port, two[1].port];
}

async function get(port: number, path: string): Promise<{ status: number; text: string } | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  } catch {
    return null; // not listening yet
  }
}

/** The value of one sample of a text in the Prometheus format. */
function sample(text: string, name: string, labels: Readonly<Record<string, string>>): number | undefined {
  for (const line of text.split('\n')) {
    const found = /^(\w+)\{([^}]*)\} (\S+)$/.exec(line);
    if (found?.[1] !== name) continue;
    const has = Object.fromEntries([...found[2]!.matchAll(/(\w+)="([^"]*)"/g)].map((pair) => [pair[1], pair[2]]));
    if (Object.entries(labels).every(([key, value]) => has[key] === value)) return Number(found[3]);
  }
  return undefined;
}

const sorted = javascript(`export default (row) => {
  if (row.id % 10 === 0) throw new Error('no');
  return row.id % 10 === 1 ? null : row;
}`);

describe.concurrent('a running process', () => {
  it('gives metrics that sum up, are the ledger of `status`, and say live and ready', async () => {
    const [metrics, health] = await freePorts();
    await using p = await pipeline(
      fileToFile({
        service: { metrics_port: metrics, health_port: health },
        source: { follow: true },
        transformations: [sorted],
      }),
      { 'in.ndjson': ndjson(numbered(100)) },
    );
    const running = p.start(['run', 'sluice.json']);
    const text = await until('all are counted', async () => {
      const answer = await get(metrics, '/metrics');
      return answer !== null && sample(answer.text, 'sluice_events_in', { stream: 's' }) === 100 ? answer.text : null;
    });
    const fate = (name: string): number | undefined => sample(text, 'sluice_events', { stream: 's', fate: name });
    expect([fate('delivered'), fate('filtered'), fate('skipped'), fate('dead_lettered')]).toEqual([80, 10, 0, 10]);
    expect(sample(text, 'sluice_events_pending', { stream: 's' })).toBe(0);
    expect(sample(text, 'sluice_sink_outputs', { stream: 's', sink: 'out', fate: 'delivered' })).toBe(80);
    expect(sample(text, 'sluice_stream_state', { stream: 's', state: 'streaming' })).toBe(1);
    for (const line of text.split('\n')) expect(line).toMatch(/^$|^# (HELP|TYPE) \w+ .+|^\w+(\{.*\})? -?[0-9.e+]+$/);
    expect(await get(health, '/live')).toMatchObject({ status: 200 });
    const ready = await get(health, '/ready');
    expect(ready!.status).toBe(200);
    expect(JSON.parse(ready!.text)).toMatchObject({ streams: { s: 'streaming' } });
    expect(await get(health, '/nothing')).toMatchObject({ status: 404 });
    const shown = await until('nothing is pending in the row of the process', async () => {
      const [stream] = await p.status();
      return stream?.ledger.pending === 0 ? stream : null;
    });
    expect(shown.ledger).toMatchObject({ in: 100, delivered: 80, filtered: 10, skipped: 0, dead_lettered: 10 });
    writeFileSync(p.path('in.ndjson'), ndjson([{ id: 101 }, { id: 102 }]), { flag: 'a' });
    await until('the new ones are counted', async () => {
      const answer = await get(metrics, '/metrics');
      return sample(answer!.text, 'sluice_events_in', { stream: 's' }) === 102;
    });
    expect((await running.kill('SIGTERM')).code).toBe(143);
    expect(await get(metrics, '/metrics')).toBeNull();
  });

  it('of which a stream failed is live and not ready', async () => {
    const [metrics, health] = await freePorts();
    const base = fileToFile({
      service: { metrics_port: metrics, health_port: health },
      source: { follow: true },
    }) as { streams: object[] };
    await using p = await pipeline(
      {
        ...base,
        streams: [
          ...base.streams,
          {
            id: 'bad',
            source: { type: 'file', path: './gone.ndjson' },
            sinks: [{ id: 'out', type: 'file', path: './bad.ndjson' }],
          },
        ],
      },
      { 'in.ndjson': ndjson(numbered(3)) },
    );
    const running = p.start(['run', 'sluice.json']);
    await until('it is not ready', async () => {
      const answer = await get(health, '/ready');
      return answer?.status === 503 && JSON.parse(answer.text).streams.bad === 'failed';
    });
    await until('the other one goes on', () => p.rows('out.ndjson').length === 3);
    expect(await get(health, '/live')).toMatchObject({ status: 200 });
    expect((await running.kill('SIGTERM')).code).toBe(3);
  });

  it.for(['metrics_port', 'health_port'])(
    'whose %s is taken says so, with exit code 3, and runs nothing',
    async (which) => {
      const { server, port } = await listening();
      try {
        await using p = await pipeline(fileToFile({ service: { [which]: port }, source: { follow: true } }), {
          'in.ndjson': ndjson(numbered(3)),
        });
        const ran = await p.run();
        expect(ran.code, ran.stderr).toBe(3);
        expect(ran.stderr).toMatch(/✗ E_PORT[\s\S]*→/);
        expect((await p.status())[0]!.state).toBe('stopped');
      } finally {
        server.close();
      }
    },
  );
});

describe.concurrent('a run', () => {
  it('of one port for both, or of a port that is none, is a finding', async () => {
    await using p = await pipeline(fileToFile({ service: { metrics_port: 9464, health_port: 9464 } }), {
      'in.ndjson': '',
    });
    expect((await p.run()).code).toBe(2);
    p.manifest(fileToFile({ service: { metrics_port: 80 } }));
    const ran = await p.run();
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('E_MANIFEST_INVALID');
  });

  it('with --until-idle of a followed file ends with 0 and everything covered', async () => {
    await using p = await pipeline(fileToFile({ source: { follow: true } }), { 'in.ndjson': ndjson(numbered(50)) });
    const ran = await p.run('--until-idle', '300ms', '--json');
    expect(ran.code, ran.stderr).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      streams: [{ id: 's', state: 'ended', ledger: { in: 50, delivered: 50 } }],
    });
    expect(p.rows('out.ndjson')).toEqual(numbered(50));
  });

  it('in a pipe logs one JSON object a line on stderr, and nothing on stdout', async () => {
    await using p = await pipeline(fileToFile({}), { 'in.ndjson': ndjson(numbered(3)) });
    const ran = await p.run();
    expect(ran.stdout).toBe('');
    const logged = ran.stderr.split('\n').filter((line) => line.startsWith('{'));
    expect(logged.length).toBeGreaterThan(0);
    for (const line of logged)
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), message: expect.any(String) });
  });
});
