// The only door for plugins, exported as `sluice/sdk`. What stands here is public and follows semver (apiVersion);
// everything else in core/ is private. Bundled plugins come in by this door exactly as third parties do.

export type { BatchDetails, MappedRows, TextParts } from './batch.ts';
export { batchOf, batchOfText, envelopeText, mapBatch, parseRow, tableOf } from './batch.ts';
export { join, pick } from './batch-parts.ts';
export type { Cell, CellParts } from './cells.ts';
export { batchOfCells, cellJson } from './cells.ts';
export type { Checkpoint, Gap, Ledger, Parked, SinkCounts } from './checkpoint.ts';
export { seal, unseal } from './checkpoint.ts';
export type { EnvelopeTexts } from './envelope.ts';
export { splitEnvelope } from './envelope.ts';
export type { ErrorClass, ErrorData, ErrorDetails, ErrorPlace } from './errors.ts';
export { codesOf, isSluiceError, messageOf, SluiceError, sluiceError, toSluiceError } from './errors.ts';
export type {
  ChangeEvent,
  Column,
  ColumnType,
  EventBatch,
  Op,
  SnapshotRange,
  SourceInfo,
  Unreadable,
} from './event.ts';
export { fileIdentity } from './file-identity.ts';
export { tryLockFile } from './file-lock.ts';
export { changedKeyOfText, isWholeBeforeText } from './images.ts';
export type { HoldTracker } from './key-order.ts';
export { allOk, holdTracker, inKeyOrder, keyTexts } from './key-order.ts';
export type { Line } from './lines.ts';
export { linesOf, oneLine, sizeOf, textOf } from './lines.ts';
export { pause } from './pause.ts';
export * from './plugin.ts';
export type { Effects } from './rows/effects.ts';
export { effectsOf } from './rows/effects.ts';
export { noColumn, noTable, noUniqueKey } from './rows/refusals.ts';
export type { RowSet } from './rows/row-set.ts';
export { cellValue, rowRuns, rowSet } from './rows/row-set.ts';
export type { CellRow, Step } from './rows/steps.ts';
export type { TableSetting } from './rows/table-rule.ts';
export { isWholeTable, tableOfRange, tableRule } from './rows/table-rule.ts';
export { brokenText, isBase64 } from './rows/texts.ts';
export type { RowTarget, RowWriter, Verdict } from './rows/write.ts';
export { writeRows } from './rows/write.ts';
export type { ConfigSchema, FromSchema, ObjectSchema } from './schema.ts';
export type { KeySpec, SinkKey } from './sink-key.ts';
export { sinkKey } from './sink-key.ts';
export { tablesNamed } from './table-name.ts';
export type { Json, Row } from './values.ts';
export { canonical, isRow, survivesDouble, unsafeNumber } from './values.ts';
