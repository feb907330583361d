// The ways in which work on a stream ends before its time. Everything else that is thrown in the engine is a fault of ours.

import { type SluiceError, sluiceError } from '../errors.ts';

/** The stream is over: by its policy, a permanent error, or used-up attempts. Its events stay pending. */
export class StreamFailed extends Error {
  readonly error: SluiceError;
  constructor(error: SluiceError) {
    super(error.message, { cause: error });
    this.error = error;
  }
}

/** The source, a sink's transaction or durability, or the state store is not there: wait, restore the sinks, read again from the checkpoint. */
export class SessionLost extends Error {
  readonly error: SluiceError;
  constructor(error: SluiceError) {
    super(error.message, { cause: error });
    this.error = error;
  }
}

/** A request came while a sink was waited for: give the group up, so that the request finds nothing at the sinks. */
export class RequestWaits extends Error {}

/** The stream was told to stop while it waited for something that is not there. Nothing is lost: it is read again. */
export class Interrupted extends Error {
  constructor() {
    super('stopped while waiting');
  }
}

export function failedByPolicy(where: string, eventId: string, cause: SluiceError): StreamFailed {
  return new StreamFailed(
    sluiceError('E_STREAM_FAILED', {
      message: `${where} failed on event ${eventId}, and its policy is fail_stream: ${cause.message}`,
      ...(cause.at === undefined ? {} : { at: cause.at }),
      fix: 'mend the cause and run again: the event is still pending',
      cause,
    }),
  );
}
