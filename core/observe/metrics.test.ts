// The text form that a scraper reads, byte by byte.

import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('counters, gauges and histograms are written in the text form', () => {
  const metrics = createMetrics();
  const events = metrics.counter('sluice_events_total', 'Events by fate.', ['stream', 'fate']);
  const lag = metrics.gauge('sluice_lag_seconds', 'How far behind.', ['stream']);
  const batch = metrics.histogram('sluice_batch_seconds', 'Time of a batch.', [0.1, 1], ['stream']);
  metrics.counter('sluice_starts_total', 'Starts.');
  events.add(2, { stream: 'a', fate: 'delivered' });
  events.add(3, { fate: 'delivered', stream: 'a' });
  events.add(1, { stream: 'say "hi"\\\n', fate: 'skipped' });
  lag.set(1.5, { stream: 'a' });
  for (const value of [0.05, 0.1, 0.5, 7]) batch.observe(value, { stream: 'a' });
  expect(metrics.text()).toBe(`\
# HELP sluice_events_total Events by fate.
# TYPE sluice_events_total counter
sluice_events_total{stream="a",fate="delivered"} 5
sluice_events_total{stream="say \\"hi\\"\\\\\\n",fate="skipped"} 1
# HELP sluice_lag_seconds How far behind.
# TYPE sluice_lag_seconds gauge
sluice_lag_seconds{stream="a"} 1.5
# HELP sluice_batch_seconds Time of a batch.
# TYPE sluice_batch_seconds histogram
sluice_batch_seconds_bucket{stream="a",le="0.1"} 2
sluice_batch_seconds_bucket{stream="a",le="1"} 3
sluice_batch_seconds_bucket{stream="a",le="+Inf"} 4
sluice_batch_seconds_sum{stream="a"} 7.65
sluice_batch_seconds_count{stream="a"} 4
# HELP sluice_starts_total Starts.
# TYPE sluice_starts_total counter
sluice_starts_total 0
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

test('declaring a metric twice is one family, and with another shape an error', () => {
  const metrics = createMetrics();
  metrics.counter('n', 'h', ['a']).add(1, { a: 'x' });
  metrics.counter('n', 'h', ['a']).add(1, { a: 'x' });
  expect(metrics.text()).toContain('n{a="x"} 2');
  expect(() => metrics.counter('n', 'h', ['b'])).toThrow('declared already');
  expect(() => metrics.gauge('n', 'h', ['a'])).toThrow('declared already');
});

test('what a scraper would refuse is refused at once', () => {
  const metrics = createMetrics();
  expect(() => metrics.counter('a-b', 'h')).toThrow('no name');
  expect(() => metrics.counter('a', 'h', ['le'])).toThrow('no name');
  expect(() => metrics.histogram('h', 'h', [2, 1])).toThrow('ascending');
  expect(() => metrics.counter('c', 'h').add(-1)).toThrow('cannot go by');
  expect(() => metrics.counter('c', 'h').add(Number.NaN)).toThrow('cannot go by');
  expect(() => metrics.gauge('g', 'h', ['a']).set(1)).toThrow('not given');
  expect(() => metrics.gauge('g', 'h', ['a']).set(1, { a: 'x', b: 'y' })).toThrow('does not have');
});
