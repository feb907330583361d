// The state store: checkpoints with history, dead letters, captures, requests, live status, and the lock of a stream.
// One interface, two stores (sqlite.ts, the default, in a worker; memory.ts, for tests), and one suite of tests over both.
// Guarantees: a returned promise means durable; one call is one transaction (invariant 5); what is damaged is an error
// (E_STATE_CORRUPT), never an empty answer.

import type { Checkpoint } from '../checkpoint.ts';
import type { ErrorData } from '../errors.ts';
import type { Column } from '../event.ts';
import type { Json } from '../values.ts';

/** Where an event failed. `id` is that of the transformation or sink; for a source, the stream's own. */
export interface Place {
  readonly kind: 'source' | 'transform' | 'sink';
  readonly id: string;
}

export type DeadLetterStatus = 'pending' | 'resolved' | 'ignored' | 'superseded';

/** A stored event that could not pass, with everything needed to try again. Known by stream, event id and place. */
export interface NewDeadLetter {
  readonly stream: string;
  readonly place: Place;
  /** The failing input's own id: `<id>`, or `<id>/<i>` of an output. */
  readonly event_id: string;
  /** The id of the source event that it descends from. */
  readonly source_event_id: string;
  readonly table: string;
  /**
   * Canonical texts of the keys that the place orders it by (a sink's own key, before the sinks the event's): two where the key
   * changed, none where it has no key; null: by its whole table (a truncate).
   */
  readonly keys: readonly string[] | null;
  /** The source event as it came: JSON text of the envelope, or the raw text of an unreadable one. */
  readonly event: string;
  /** The input of the step that failed, where it is not the source event itself. */
  readonly input: string | null;
  /** The columns of its table as its source knew them, as JSON text (types of values without them would be guessed), or null. */
  readonly columns: string | null;
  /** Of the transformation that failed: id, language, version, code hash. */
  readonly transform: {
    readonly id: string;
    readonly language: string;
    readonly version: string;
    readonly hash: string;
  } | null;
  readonly error: ErrorData;
  readonly attempts: number;
  /** ISO 8601. */
  readonly failed_at: string;
  /** How many source events had entered the stream with its own (the ledger's `in`); 0 and less: before the count began again. */
  readonly entered: number;
}

export interface DeadLetter extends NewDeadLetter {
  /** The store's own number, from 1. */
  readonly id: number;
  readonly status: DeadLetterStatus;
  readonly first_failed_at: string;
  readonly status_at: string;
  readonly note: string | null;
}

export interface DeadLetterFilter {
  readonly stream?: string;
  readonly ids?: readonly number[];
  readonly status?: DeadLetterStatus;
  readonly code?: string;
  readonly place?: string;
  readonly table?: string;
  readonly event_id?: string;
  /** ISO 8601; failed at or after it. */
  readonly since?: string;
  readonly limit?: number;
  /** Only letters with a greater id (paging). */
  readonly after?: number;
}

/** One transaction. All parts are optional; dead letters are upserted by stream, event id and place. */
export interface StateWrite {
  /** The stream's current checkpoint; the one before it goes into the history. */
  readonly checkpoint?: Checkpoint;
  /** An upsert of a letter that is there already keeps its id and first_failed_at, and makes it pending again. */
  readonly deadLetters?: readonly NewDeadLetter[];
  /** Status changes, applied after the upserts. */
  readonly marks?: readonly DeadLetterMark[];
}

/**
 * Pending letters change to any status; a superseded one only to `resolved` (it was delivered after all).
 * By number (`ids`, from the command line), or by what a letter is known by (the engine does not know its numbers). */
export type DeadLetterMark = {
  readonly status: Exclude<DeadLetterStatus, 'pending'>;
  readonly note?: string;
} & (
  | { readonly ids: readonly number[]; readonly stream?: undefined }
  | { readonly stream: string; readonly place: Place; readonly event_ids: readonly string[]; readonly ids?: undefined }
) & {
    /** Of `superseded`: the ledger's `in` with the event that did it. 0: whatever comes again, it stays. */
    readonly superseded_by?: number;
  };

/** A pending letter as the engine remembers it, to see when a later event resolves or supersedes it. */
export interface PendingLetter {
  readonly place: Place;
  readonly event_id: string;
  readonly source_event_id: string;
  readonly table: string;
  readonly keys: readonly string[] | null;
  readonly entered: number;
}

export interface NewRequest {
  readonly stream: string;
  /** `replay`, `snapshot`, `resume`, `checkpoint-set`, … */
  readonly type: string;
  readonly body: Json;
}

export interface StoredRequest extends NewRequest {
  /** Ascending over all streams, from 1. */
  readonly number: number;
  readonly status: 'waiting' | 'running' | 'done' | 'failed';
  readonly result: Json;
  readonly created_at: string;
}

export type StreamState = 'starting' | 'snapshot' | 'streaming' | 'waiting' | 'failed' | 'stopped' | 'ended';

/** What the running process writes once a second. Without a live lock, a reader takes it as `stopped`, pending 0. */
export interface LiveStatus {
  readonly stream: string;
  readonly state: StreamState;
  readonly pending: number;
  /** `in` of the checkpoint that was known when this was written: says which events `pending` is of. */
  readonly covered: number;
  readonly lag_ms: number | null;
  readonly reason: ErrorData | null;
  readonly pid: number;
  /** Whatever else is worth showing: lanes, missing measures, away sinks. */
  readonly details: Json;
  /** ISO 8601. */
  readonly written_at: string;
}

export interface Capture {
  readonly stream: string;
  readonly event_id: string;
  /** Redacted envelope text. */
  readonly event: string;
  /** ISO 8601. */
  readonly captured_at: string;
  /** What was known with it: the columns of its table, and the code that the stream ran then. */
  readonly details: CaptureDetails;
}

export interface CaptureDetails {
  /** Empty where the source knows none. */
  readonly columns: readonly Column[];
  /** Values were chosen by column type, so that no number of the rows can lose digits. */
  readonly typed: boolean;
  readonly transforms: readonly {
    readonly id: string;
    readonly language: string;
    readonly version: string;
    readonly hash: string;
  }[];
}

/** What is kept of a stream's captures: the newest, within all three. */
export interface CaptureBounds {
  readonly max_events: number;
  /** Of their texts in UTF-8. */
  readonly max_bytes: number;
  /** ISO 8601: older ones go. */
  readonly since: string;
}

export interface StateStore extends AsyncDisposable {
  /** The current checkpoint, its checksum verified, or null. @throws E_STATE_CORRUPT */
  loadCheckpoint(stream: string): Promise<Checkpoint | null>;
  /** Older checkpoints, newest first; a bounded number is kept (100). */
  history(stream: string, limit: number): Promise<readonly Checkpoint[]>;
  /** Durable when it returns. @throws E_STATE_WRITE (full disk, read-only folder); then nothing of it was written */
  write(change: StateWrite): Promise<void>;
  /** Forgets the checkpoint and its history, and does what restartOrder does. */
  clearCheckpoint(stream: string): Promise<void>;

  listDeadLetters(filter: DeadLetterFilter): Promise<readonly DeadLetter[]>;
  /** How many letters listDeadLetters() would give without a limit; none of them is loaded. */
  countDeadLetters(filter: Omit<DeadLetterFilter, 'limit'>): Promise<number>;
  pendingLetters(stream: string): Promise<readonly PendingLetter[]>;
  /**
   * Letters that were superseded by events after the first `covered` of the stream are pending again: the session that
   * marked them was lost before its checkpoint, so those events come again.
   */
  reviveLetters(stream: string, covered: number): Promise<void>;
  /** The stream counts its events from 0 again: its letters are older than all that comes, and what is superseded stays so. */
  restartOrder(stream: string): Promise<void>;
  /** Of these letters of a stream the numbers, in the order of their events. */
  inOrder(stream: string, ids: readonly number[]): Promise<readonly number[]>;
  /** Bytes of the pending letters of a stream: at one place, or at all. */
  deadLetterBytes(stream: string, place?: Place): Promise<number>;

  /** Returns its number. Of those that are answered only the newest (100 numbers) are kept. */
  addRequest(request: NewRequest): Promise<number>;
  /**
   * Numbers that are given from now on are above `covered`, the number in a stream's checkpoint. Where they were not, another
   * store gave that one, and this is new: returns the open requests of the stream that the checkpoint would cover.
   */
  numberAbove(stream: string, covered: number): Promise<readonly number[]>;
  /** The oldest waiting or running request of a stream with a number above `after`. */
  nextRequest(stream: string, after: number): Promise<StoredRequest | null>;
  getRequest(number: number): Promise<StoredRequest | null>;
  updateRequest(number: number, status: StoredRequest['status'], result: Json): Promise<void>;

  saveStatus(status: LiveStatus): Promise<void>;
  statuses(): Promise<readonly LiveStatus[]>;

  /** Afterwards each of their streams is within the bounds. A capture that is larger than all of them is not kept. */
  addCaptures(captures: readonly Capture[], keep: CaptureBounds): Promise<void>;
  /** Newest first. */
  captures(stream: string, limit: number): Promise<readonly Capture[]>;
  /** What the tokens of redaction are made with: random, and always the same for one store. @throws SluiceError E_STATE_OPEN */
  redactionKey(): Buffer;

  /**
   * The lock of a stream: the operating system's, freed by SIGKILL.
   * @throws E_STATE_LOCKED when another process (or another holder in this one) has it
   */
  lock(stream: string): Promise<AsyncDisposable>;
  /** True while some process holds the lock. */
  isLocked(stream: string): Promise<boolean>;
}
