// How a run is told: one progress line per stream on a terminal while it runs, and a short account of what went where at
// its end.

import { lagOf, ledgerNow, type StreamStatus } from '../engine/status.ts';
import { shownError, table } from './output.ts';

/** A whole number, as 1,234,567. (Not by Intl, which takes 30 ms of each start.) */
const grouped = (n: number): string => String(n).replace(/\B(?=(?:\d{3})+$)/g, ',');

/** Redraws one line per stream about four times a second. Only for a terminal. */
export function startProgress(statuses: readonly StreamStatus[], out: NodeJS.WriteStream): { stop(): void } {
  const before = new Map<string, { events: number; at: number; rate: number }>();
  let drawn = 0;
  const draw = (): void => {
    const lines = statuses.map((status) =>
      progressLine(status, rateOf(status, before)).slice(0, (out.columns ?? 120) - 1),
    );
    out.write(`${drawn > 0 ? `\x1b[${drawn}A` : ''}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`);
    drawn = lines.length;
  };
  const timer = setInterval(draw, 250);
  return {
    stop() {
      clearInterval(timer);
      draw();
    },
  };
}

function progressLine(status: StreamStatus, rate: number): string {
  const ledger = ledgerNow(status);
  const lag = lagOf(status);
  const parts = [
    `${status.id} [${status.state}]`,
    `${grouped(Math.round(rate))}/s`,
    `lag ${lag === null ? '–' : `${(lag / 1000).toFixed(1)} s`}`,
    `in ${grouped(ledger.in)}`,
    `delivered ${grouped(ledger.delivered)}`,
    ...(ledger.filtered > 0 ? [`filtered ${grouped(ledger.filtered)}`] : []),
    ...(ledger.skipped > 0 ? [`skipped ${grouped(ledger.skipped)}`] : []),
    ...(ledger.dead_lettered > 0 ? [`dead letters ${grouped(ledger.dead_lettered)}`] : []),
    ...(ledger.pending > 0 ? [`pending ${grouped(ledger.pending)}`] : []),
    ...(status.reason === null ? [] : [shownError(status.reason).message]),
  ];
  return parts.join('  ');
}

function rateOf(status: StreamStatus, before: Map<string, { events: number; at: number; rate: number }>): number {
  const events = status.checkpoint?.ledger.in ?? 0;
  const at = performance.now();
  const last = before.get(status.id);
  if (last === undefined) {
    before.set(status.id, { events, at, rate: 0 });
    return 0;
  }
  const now = ((events - last.events) * 1000) / Math.max(1, at - last.at);
  const rate = last.rate * 0.6 + Math.max(0, now) * 0.4;
  before.set(status.id, { events, at, rate });
  return rate;
}

/** What went where: one row per stream, and one per sink. */
export function accountText(statuses: readonly StreamStatus[]): string {
  const streams = [['stream', 'state', 'in', 'delivered', 'filtered', 'skipped', 'dead-lettered', 'pending']];
  const sinks = [['sink', 'out', 'delivered', 'skipped', 'dead-lettered', 'missed']];
  for (const status of statuses) {
    const ledger = ledgerNow(status);
    streams.push([
      status.id,
      status.state,
      ...[ledger.in, ledger.delivered, ledger.filtered, ledger.skipped, ledger.dead_lettered, ledger.pending].map(
        String,
      ),
    ]);
    for (const [id, { counts }] of Object.entries(status.checkpoint?.sinks ?? {})) {
      sinks.push([
        `${status.id}/${id}`,
        ...[counts.out, counts.delivered, counts.skipped, counts.dead_lettered, counts.missed].map(String),
      ]);
    }
  }
  return `${table(streams)}\n\n${table(sinks)}`;
}
