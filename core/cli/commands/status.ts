// `sluice status`: where the streams stand, from the state store: checkpoint, ledger, and the row that a running process
// writes once a second. Without a live lock a stream is not running, whatever the last row said.

import { ledgerWith, pendingSince } from '../../engine/status.ts';
import type { StreamConfig } from '../../manifest/model.ts';
import type { StateStore, StreamState } from '../../state/store.ts';
import { isRow, type Json } from '../../values.ts';
import type { Command } from '../command.ts';
import { printData, printJson, table } from '../output.ts';
import { sandboxStatus } from '../sandbox-rows.ts';
import { chosenStreams, findingsExit, manifestOf, openStore, openWorkspace, proofFile } from '../workspace.ts';

const OVER: ReadonlySet<StreamState> = new Set(['failed', 'ended', 'stopped']);

export const command: Command = {
  name: 'status',
  summary: 'Shows where the streams of a manifest stand.',
  usage: 'status [manifest] [--stream id]',
  examples: ['status examples/quickstart/sluice.yaml', 'status ./sluice.yaml --json'],
  options: { stream: { type: 'string', multiple: true, help: 'only this stream' } },
  async run(invocation) {
    await using opened = await openWorkspace(invocation, { inspect: true });
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    await using store = await openStore(manifest, opened.log);
    const streams = await Promise.all(chosenStreams(manifest, invocation).map((stream) => statusOf(stream, store)));
    const sandbox = sandboxStatus(proofFile(manifest));
    if (invocation.json) await printJson({ streams, sandbox });
    else await printData([statusText(streams), ...(sandbox?.missing ?? []).map(missingText)].join('\n'));
    return 0;
  },
};

const missingText = ({ name, message }: { name: string; message: string }): string =>
  `sandbox: without ${name}: ${message}`;

type Shown = Awaited<ReturnType<typeof statusOf>>;

async function statusOf(stream: StreamConfig, store: StateStore) {
  const [checkpoint, statuses, locked, deadLetters] = await Promise.all([
    store.loadCheckpoint(stream.id),
    store.statuses(),
    store.isLocked(stream.id),
    store.countDeadLetters({ stream: stream.id, status: 'pending' }),
  ]);
  const live = statuses.find((row) => row.stream === stream.id) ?? null;
  const over = live !== null && OVER.has(live.state);
  const state: StreamState =
    live === null ? (locked ? 'starting' : 'stopped') : locked || over ? live.state : 'stopped';
  return {
    id: stream.id,
    ...(stream.name === undefined ? {} : { name: stream.name }),
    enabled: stream.enabled,
    state,
    reason: state === 'waiting' || state === 'failed' ? (live?.reason ?? null) : null,
    position: checkpoint?.position ?? null,
    ledger: ledgerWith(checkpoint, locked && live !== null ? pendingSince(live, checkpoint) : 0),
    lag_ms: locked ? (live?.lag_ms ?? null) : null,
    dead_letters_pending: deadLetters,
    sinks: Object.fromEntries(Object.entries(checkpoint?.sinks ?? {}).map(([id, sink]) => [id, sink.counts])),
    gaps: checkpoint?.gaps ?? [],
    parked: checkpoint?.parked ?? [],
    saved_at: checkpoint?.saved_at ?? null,
    age_ms: checkpoint === null ? null : Date.now() - Date.parse(checkpoint.saved_at),
    pid: locked ? (live?.pid ?? null) : null,
    details: locked ? (live?.details ?? null) : null,
  };
}

function statusText(streams: readonly Shown[]): string {
  const rows = [
    ['stream', 'state', 'in', 'delivered', 'filtered', 'skipped', 'dead-lettered', 'pending', 'checkpoint'],
  ];
  for (const { id, state, ledger, age_ms } of streams) {
    rows.push([
      id,
      state,
      ...[ledger.in, ledger.delivered, ledger.filtered, ledger.skipped, ledger.dead_lettered, ledger.pending].map(
        String,
      ),
      age_ms === null ? 'none' : `${(age_ms / 1000).toFixed(1)} s ago`,
    ]);
  }
  const notes = streams.flatMap((stream) => [
    ...lanesOf(stream.details).map(({ transform, name, why, events, deopts }) => {
      const slower = deopts === 0 ? '' : `, ${deopts} of ${events} events in a slower one`;
      return `${stream.id}: ${transform} runs in the ${name} lane${why === undefined ? '' : ` (${why})`}${slower}`;
    }),
    ...(stream.reason === null ? [] : [`${stream.id}: ${stream.reason.code} ${stream.reason.message}`]),
    ...(stream.dead_letters_pending === 0
      ? []
      : [`${stream.id}: ${stream.dead_letters_pending} dead letters are pending (sluice dead-letters list)`]),
    ...stream.gaps.map(
      (gap) =>
        `${stream.id}: sink ${gap.sink} missed ${gap.events} events${gap.to === null ? ', and is still away' : ''}`,
    ),
    ...stream.parked.map(
      (parked) => `${stream.id}: ${parked.kind} ${parked.id} is parked since ${parked.since}: ${parked.reason}`,
    ),
  ]);
  return [table(rows), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

interface ShownLane {
  readonly transform: string;
  readonly name: string;
  readonly why?: string;
  readonly events: number;
  readonly deopts: number;
}

/** Of the row that a running process writes (`liveRow`). */
function lanesOf(details: Json | null): readonly ShownLane[] {
  const lanes = isRow(details) ? details['lanes'] : undefined;
  return Array.isArray(lanes) ? (lanes as unknown as readonly ShownLane[]) : [];
}
