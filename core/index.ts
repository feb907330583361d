// Embedding: everything that a program needs to load a manifest and run it. Knows no language and no database: languages
// are passed in, plugins are found by the registry. The package's main entry (core/cli/index.ts) adds our languages.

export type { Checkpoint, Ledger, SinkCounts } from './checkpoint.ts';
export { type Run, type RunParts, startRun } from './engine/run.ts';
export { lagOf, ledgerNow, pendingOf, type StreamStatus } from './engine/status.ts';
export type { StreamEnd } from './engine/stream.ts';
export { isSluiceError, SluiceError, sluiceError, toSluiceError } from './errors.ts';
export type { Languages, LoadedTransform, TransformIdentity } from './languages.ts';
export { type Finding, type Loaded, type LoadOptions, loadManifest } from './manifest/load.ts';
export type { Manifest, StreamConfig } from './manifest/model.ts';
export { createLog, type Log, type LogLevel } from './observe/log.ts';
export { createRegistry, type Registry } from './registry/resolve.ts';
export { memoryStore, openStateStore } from './state/index.ts';
export type { DeadLetter, StateStore } from './state/store.ts';
