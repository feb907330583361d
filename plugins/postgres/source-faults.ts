// What an error of the server, or of the way to it, means for the source: one code for each, with what to do about it.
// Guarantee: what may pass by itself (a server that starts, a password that is being changed) is waited for; what does not (a slot
// that is gone, a publication that is) ends the stream, because waiting would only let the log grow. No message holds a value.

import { isSluiceError, messageOf, type SluiceError, sluiceError } from 'sluice/sdk';
import { MEND_LOGIN, refusedConnection } from './refused-connection.ts';

const FRESH =
  'run `sluice checkpoint clear` for this stream: it makes what is missing, reads all rows again, and removes at the sinks what is gone';

/** Errors of the way to the server, and of a server that is not ready. */
const AWAY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody answers at its address',
  ECONNRESET: 'the connection was lost',
  EPIPE: 'the connection was lost',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no way to its address',
  ENETUNREACH: 'there is no way to its address',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  '57P01': 'it is being shut down, or somebody ended the connection (pg_terminate_backend)',
  '57P02': 'it crashed',
  '57P03': 'it is starting or stopping',
  '53300': 'it has no room for another connection',
};

/** Whatever stopped the source. `slot` is its name, for statements that mend it. */
export function sourceFault(thrown: unknown, slot = '…'): SluiceError {
  if (isSluiceError(thrown)) return thrown;
  const code = codeOf(thrown);
  const message = messageOf(thrown);
  const away = AWAY[code];
  if (away !== undefined || /timeout expired|Connection terminated|connection was closed/i.test(message)) {
    return sluiceError('E_SOURCE_CONNECT', {
      message: `the server is not there: ${away ?? 'the connection was lost'}`,
      fix: 'start the server, or check its address; the stream goes on by itself',
      cause: thrown,
    });
  }
  if (code === '28P01' || code === '28000') {
    return sluiceError('E_SOURCE_CONNECT', {
      message:
        code === '28P01'
          ? 'the server refuses the user or the password'
          : 'the server does not let this user in (pg_hba.conf, or the role may not log in)',
      fix: MEND_LOGIN,
      cause: withoutText(thrown),
    });
  }
  if (code === '3D000') {
    return sluiceError('E_SOURCE_CONNECT', {
      message: 'the server has no such database',
      fix: 'check `database`',
      cause: thrown,
    });
  }
  const refused = refusedConnection('E_SOURCE_CONNECT', thrown);
  if (refused !== null) return refused;
  if (code === '55006') return slotActive(thrown);
  if (
    code === '55000' &&
    /can no longer|invalidated|has been lost|cannot read from (logical )?replication slot/i.test(message)
  ) {
    return slotLost(null, slot, thrown);
  }
  if (code === '55000' && /publication/.test(message)) return publicationGone(slot, thrown);
  if (code === '42704' && /publication/.test(message)) return publicationGone(slot, thrown);
  if (code === '42704' && /replication slot/.test(message)) return slotMissing(thrown);
  if (code === '42501') {
    return sluiceError('E_SOURCE_RIGHTS', {
      message: `the server refuses what the source needs: ${message}`,
      fix: 'run `sluice check`: it names the statement for each right that is missing',
      permanent: true,
      cause: thrown,
    });
  }
  const what = /^[0-9A-Z]{5}$/.test(code) ? 'the server reported an error' : 'what the server sent cannot be read';
  return sluiceError('E_SOURCE_READ', { message: `${what}: ${message}`, cause: thrown });
}

export function codeOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** The server's words about a refused login name the user and its address: they stay out of logs. */
function withoutText(thrown: unknown): Error {
  return Object.assign(new Error('refused'), { code: codeOf(thrown) });
}

function dropSlot(name: string): string {
  return `select pg_drop_replication_slot('${name}')`;
}

export function slotMissing(cause?: unknown): SluiceError {
  return sluiceError('E_SOURCE_SLOT_MISSING', {
    message: 'the replication slot is gone: it was dropped, or this is a server that took over and never had it',
    fix: FRESH,
    permanent: true,
    cause,
  });
}

/** By what pg_replication_slots calls `invalidation_reason`: what happened, and what keeps it from happening again. */
const LOST: Readonly<Record<string, readonly [why: string, mend: string]>> = {
  wal_removed: [
    'the server was told to keep no more log than max_slot_wal_keep_size',
    'raise max_slot_wal_keep_size (`alter system set max_slot_wal_keep_size = …`)',
  ],
  idle_timeout: [
    'nobody read from it for longer than idle_replication_slot_timeout',
    'raise idle_replication_slot_timeout (`alter system set idle_replication_slot_timeout = …`), or set it to 0',
  ],
  wal_level_insufficient: ["the server's wal_level was below `logical`", 'keep wal_level at `logical`'],
  rows_removed: [
    'the server removed rows of its catalog that the slot needs',
    'set hot_standby_feedback to on at the standby that it was on',
  ],
};
const INVALIDATED = ['it was invalidated', 'look at invalidation_reason in pg_replication_slots'] as const;

export function whyLost(reason: string | null): string {
  return reason === null ? INVALIDATED[0] : (LOST[reason]?.[0] ?? `${INVALIDATED[0]} (${reason})`);
}

/** `reason`: as the server names it; null: it is not known. */
export function slotLost(reason: string | null, slot: string, cause?: unknown): SluiceError {
  const mend = LOST[reason ?? '']?.[1] ?? INVALIDATED[1];
  return sluiceError('E_SOURCE_SLOT_LOST', {
    message: `the replication slot is of no use any more: ${whyLost(reason)}, so changes after the position are gone`,
    fix: `drop the slot (\`${dropSlot(slot)}\`), ${mend}, and ${FRESH}`,
    permanent: true,
    cause,
  });
}

export function slotActive(cause?: unknown): SluiceError {
  return sluiceError('E_SOURCE_SLOT_ACTIVE', {
    message: 'another connection reads from the replication slot',
    fix: 'stop the other reader, or give this stream a `slot` of its own; the stream goes on by itself when the slot is free',
    cause,
  });
}

export function slotAdvanced(): SluiceError {
  return sluiceError('E_SOURCE_SLOT_ADVANCED', {
    message:
      'somebody else read from the replication slot: the server has forgotten changes that come after the position',
    fix: `give each reader a slot of its own; ${FRESH}`,
    permanent: true,
  });
}

export function publicationGone(slot: string, cause?: unknown): SluiceError {
  return sluiceError('E_SOURCE_PUBLICATION', {
    message: 'the publication is gone, or was made anew: the slot cannot read what was written before that',
    fix: `drop the slot (\`${dropSlot(slot)}\`), and ${FRESH}`,
    permanent: true,
    cause,
  });
}
