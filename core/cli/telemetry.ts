// What a running process tells machines: Prometheus metrics, and the answers of /live and /ready. Read from the streams'
// status when somebody asks, so that the hot path counts nothing twice.

import { lagOf, ledgerNow, type StreamStatus } from '../engine/status.ts';
import type { ServiceConfig } from '../manifest/model.ts';
import { type Serving, serve } from '../observe/http.ts';
import { createMetrics, type Metrics } from '../observe/metrics.ts';

const FATES = ['delivered', 'filtered', 'skipped', 'dead_lettered'] as const;
const SINK_FATES = ['delivered', 'skipped', 'dead_lettered', 'missed'] as const;

export async function serveTelemetry(
  service: ServiceConfig,
  statuses: readonly StreamStatus[],
): Promise<Serving | null> {
  if (service.metrics_port === undefined && service.health_port === undefined) return null;
  const metrics = streamMetrics(statuses);
  return await serve({
    ...(service.metrics_port === undefined ? {} : { metricsPort: service.metrics_port }),
    ...(service.health_port === undefined ? {} : { healthPort: service.health_port }),
    metrics: () => metrics.text(),
    live: () => ({ ok: true }),
    // Ready: no stream failed, and none is still starting. One that waits for a server is ready: restarting us would not help.
    ready: () => ({
      ok: statuses.every((status) => status.state !== 'failed' && status.state !== 'starting'),
      streams: Object.fromEntries(statuses.map((status) => [status.id, status.state])),
    }),
  });
}

function streamMetrics(statuses: readonly StreamStatus[]): Metrics {
  const metrics = createMetrics();
  const events = metrics.gauge('sluice_events', 'Source events by fate, as the checkpoint counts them.', [
    'stream',
    'fate',
  ]);
  const entered = metrics.gauge('sluice_events_in', 'Source events that a checkpoint covers.', ['stream']);
  const pending = metrics.gauge('sluice_events_pending', 'Source events read and not yet covered by a checkpoint.', [
    'stream',
  ]);
  const lag = metrics.gauge('sluice_lag_seconds', 'Now minus the source time of the last covered event.', ['stream']);
  const bytes = metrics.gauge('sluice_read_bytes', 'Bytes of rows read since the start of the process.', ['stream']);
  const state = metrics.gauge('sluice_stream_state', '1 for the state that the stream is in.', ['stream', 'state']);
  const outputs = metrics.gauge('sluice_sink_outputs', 'Outputs at a sink by what became of them.', [
    'stream',
    'sink',
    'fate',
  ]);
  const away = metrics.gauge('sluice_sink_away', '1 while a sink that is not needed is away.', ['stream', 'sink']);
  const lane = metrics.gauge('sluice_transform_lane', '1 for the lane that a transformation runs in.', [
    'stream',
    'transform',
    'lane',
  ]);
  const laneEvents = metrics.gauge('sluice_transform_events', 'Events that a transformation with lanes got.', [
    'stream',
    'transform',
  ]);
  const deopts = metrics.gauge('sluice_transform_deopts', 'Of these, the ones that a slower way answered.', [
    'stream',
    'transform',
  ]);
  const shown = new Map<string, string>();
  metrics.onCollect(() => {
    for (const status of statuses) {
      const stream = status.id;
      const ledger = ledgerNow(status);
      entered.set(status.checkpoint?.ledger.in ?? 0, { stream });
      for (const fate of FATES) events.set(ledger[fate], { stream, fate });
      pending.set(ledger.pending, { stream });
      bytes.set(status.bytesRead, { stream });
      const seconds = lagOf(status);
      if (seconds !== null) lag.set(seconds / 1000, { stream });
      const last = shown.get(stream);
      if (last !== undefined && last !== status.state) state.remove({ stream, state: last });
      state.set(1, { stream, state: status.state });
      shown.set(stream, status.state);
      for (const { id: transform, loaded } of status.steps) {
        const report = loaded?.lane() ?? null;
        if (report === null) continue;
        lane.set(1, { stream, transform, lane: report.name });
        laneEvents.set(report.events, { stream, transform });
        deopts.set(report.deopts, { stream, transform });
      }
      for (const slot of status.slots) {
        for (const fate of SINK_FATES) outputs.set(slot.counts[fate], { stream, sink: slot.id, fate });
        away.set(slot.away === null ? 0 : 1, { stream, sink: slot.id });
      }
    }
  });
  return metrics;
}
