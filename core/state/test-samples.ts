// Sample data for the tests of the state stores.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Checkpoint, emptyCounts, emptyLedger, seal } from '../checkpoint.ts';
import type { Capture, NewDeadLetter } from './store.ts';

export function checkpointOf(stream: string, n: number): Checkpoint {
  return seal({
    stream,
    epoch: 1,
    position: { n, name: 'größer 😀' },
    position_version: 1,
    ledger: { ...emptyLedger, in: n, delivered: n },
    sinks: { warehouse: { state: { length: n }, counts: { ...emptyCounts, out: n, delivered: n } } },
    gaps: [],
    parked: [],
    request: 0,
    saved_at: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString(),
  });
}

export function letterOf(stream: string, event: string, change: Partial<NewDeadLetter> = {}): NewDeadLetter {
  return {
    stream,
    place: { kind: 'transform', id: 'mask' },
    event_id: event,
    source_event_id: event.split('/')[0]!,
    table: 'public.orders',
    keys: [`{"id":"${event}"}`],
    event: JSON.stringify({ id: event, after: { note: 'größer 😀\u0000' } }),
    input: null,
    columns: null,
    transform: { id: 'mask', language: 'javascript', version: '1', hash: 'abc' },
    error: { code: 'E_TRANSFORM_RUNTIME', message: 'it threw', at: { file: 'mask.ts', line: 3, column: 9 } },
    attempts: 1,
    failed_at: '2026-01-02T03:04:05.678Z',
    entered: 1,
    ...change,
  };
}

/** A folder of the test's own, gone when it ends. */
export function tempFolder(): Disposable & { readonly path: string; file(name: string): string } {
  const path = mkdtempSync(join(tmpdir(), 'sluice-state-'));
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

export function captureOf(stream: string, n: number, day = 1): Capture {
  return {
    stream,
    event_id: `e${n}`,
    event: `{"n":${n}}`,
    captured_at: `2026-01-0${day}T00:00:00.000Z`,
    details: { columns: [{ name: 'n', type: 'int' }], typed: true, transforms: [] },
  };
}
