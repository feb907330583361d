// The door for tools that show and try what a manifest says: the playground's server. Beside core/index.ts, which is the
// package's own API: what stands here may change with any version, so it is not exported to anybody outside.

export { eventFile } from './authoring/given-events.ts';
export { loneRule } from './authoring/rule.ts';
export { runTestFile, type TestResult } from './authoring/run-test-file.ts';
export { languageByEnding, surroundings, type Target, targetOf } from './authoring/target.ts';
export { newTestFileOf, testFilesOf } from './authoring/test-files.ts';
export { readTestFile } from './authoring/tests-file.ts';
export { openTriedChain } from './authoring/try-chain.ts';
export { openSteps, type Passage, type SteppedChain } from './authoring/try-steps.ts';
export { type NewTest, testEntry, withTest } from './authoring/write-test.ts';
export { batchOfEnvelope } from './batch.ts';
export { captureOf } from './capture/capture-of.ts';
export { redactedLetter, redactedReplay } from './capture/redacted-letter.ts';
export { defaultRedact, type Redaction, redactionOf } from './capture/redaction.ts';
export { tap } from './capture/tap.ts';
export { type Opening, openChain, openSlots } from './engine/open.ts';
export { type ReplayResult, tryLetter } from './engine/replay.ts';
export type { ErrorData, ErrorPlace } from './errors.ts';
export type { ChangeEvent, Column, EventBatch } from './event.ts';
export type { Languages, LoadedTransform } from './languages.ts';
export { lineDiff } from './line-diff.ts';
export { decodeConfig } from './manifest/config.ts';
export { type ChainChange, withChain } from './manifest/edit.ts';
export { type Finding, loadManifest, readManifest } from './manifest/load.ts';
export type { Manifest, RedactConfig, StreamConfig, TransformRule } from './manifest/model.ts';
export type { Log } from './observe/log.ts';
export { schemasOf } from './registry/describe.ts';
export type { Registry } from './registry/resolve.ts';
export type { Capture, DeadLetter, DeadLetterStatus, StateStore } from './state/store.ts';
