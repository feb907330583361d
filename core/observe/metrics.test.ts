// The text form that a scraper reads, byte by byte.

import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('gauges are written in the text form, with what has a meaning there escaped', () => {
  const metrics = createMetrics();
  const events = metrics.gauge('sluice_events', 'Events by fate,\nwith a \\.', ['stream', 'fate']);
  const lag = metrics.gauge('sluice_lag_seconds', 'How far behind.');
  events.set(2, { stream: 'a', fate: 'delivered' });
  events.set(5, { fate: 'delivered', stream: 'a' });
  events.set(1, { stream: 'say "hi"\\\n', fate: 'skipped' });
  lag.set(Number.POSITIVE_INFINITY);
  expect(metrics.text()).toBe(String.raw`# HELP sluice_events Events by fate,\nwith a \\.
# TYPE sluice_events gauge
sluice_events{stream="a",fate="delivered"} 5
sluice_events{stream="say \"hi\"\\\n",fate="skipped"} 1
# HELP sluice_lag_seconds How far behind.
# TYPE sluice_lag_seconds gauge
sluice_lag_seconds +Inf
`);
});

test('a series can be taken away, and gauges can be set when they are asked for', () => {
  const metrics = createMetrics();
  const up = metrics.gauge('up', 'u', ['s']);
  metrics.onCollect(() => up.set(9, { s: 'b' }));
  up.set(1, { s: 'a' });
  up.remove({ s: 'a' });
  expect(metrics.text().split('\n').at(-2)).toBe('up{s="b"} 9');
});

test('what a scraper would refuse is refused at once', () => {
  const metrics = createMetrics();
  expect(() => metrics.gauge('a-b', 'h')).toThrow('no name');
  expect(() => metrics.gauge('a', 'h', ['le'])).toThrow('no name');
  const gauge = metrics.gauge('g', 'h', ['a']);
  expect(() => metrics.gauge('g', 'h', ['a'])).toThrow('declared already');
  expect(() => gauge.set(1)).toThrow('not given');
  expect(() => gauge.set(1, { a: 'x', b: 'y' })).toThrow('does not have');
});
