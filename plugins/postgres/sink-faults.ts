// What an error of the server means for the sink. Guarantee: only an error that is the row's own fault is ever called `row`;
// whatever may pass (a lock, a deadlock, a full disk, a server that is away) is absence, so that no outage drains a stream
// into dead letters. Codes: PostgreSQL's appendix A, "PostgreSQL Error Codes".

import { codesOf, isSluiceError, messageOf, type SluiceError, sluiceError } from 'sluice/sdk';
import { MEND_LOGIN, refusedConnection } from './refused-connection.ts';

/** `row`: this row will never fit. `statement`: the table is not as it was known. */
export type Fault = 'row' | 'statement' | 'absent';

const SQLSTATE = /^[0-9A-Z]{5}$/;

export function faultOf(thrown: unknown): Fault {
  const code = stateOf(thrown);
  if (/^(22|23|44)/.test(code)) return 'row'; // data exception, integrity constraint, check option of a view
  if (['21000', 'P0001', '54000', '54001'].includes(code)) return 'row'; // a trigger's own refusal; a value beyond a limit
  if (
    ['42P01', '42703', '42P10', '42804', '42846', '42883', '0A000', '428C9', '42704', '42P07', '42701'].includes(code)
  ) {
    return 'statement';
  }
  return 'absent';
}

/**
 * True when it may be a value that names something which this server does not have, in a column of a type like `regclass`. A
 * statement that names it fails with the same code, but with its place in the statement; a trigger's failure says where it was.
 * So do COPY and the reading of a `regtype`, in words of their own.
 */
export function isUnknownName(thrown: unknown): boolean {
  const { position, where } = thrown as { position?: unknown; where?: unknown };
  const ofValue = typeof where === 'string' ? /^(COPY|invalid type name) /.test(where) : position === undefined;
  if (!ofValue) return false;
  return ['3F000', '42601', '42602', '42704', '42725', '42883', '42P01', '0A000'].includes(stateOf(thrown));
}

/** The rejection of such a row. The server's own message would quote the value. */
export function unknownName(table: string, columns: readonly string[]): SluiceError {
  return sluiceError('E_SINK_REJECT', {
    message: `a value of table "${table}" names something that this server does not have (${columns.join(', ')})`,
    fix: 'make the column `text`, or make what it names',
  });
}

export function stateOf(thrown: unknown): string {
  return codesOf(thrown).find((code) => SQLSTATE.test(code)) ?? '';
}

/** What the server said of a row, without its values: the message and the names, never `detail`, which shows the key. */
export function reasonOf(thrown: unknown): string {
  const { constraint, column } = thrown as { constraint?: unknown; column?: unknown };
  // of class 22 the message itself quotes the value: `invalid input syntax for type integer: "…"`
  const message = messageOf(thrown)
    .replace(/: ".*"$/s, '')
    .replace(/ "[^"]*" is out of range/, ' is out of range');
  const names = [
    ...(typeof column === 'string' ? [`column "${column}"`] : []),
    ...(typeof constraint === 'string' && !message.includes(constraint) ? [`constraint "${constraint}"`] : []),
  ];
  return names.length === 0 ? message : `${message} (${names.join(', ')})`;
}

const AWAY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody answers at its address',
  ECONNRESET: 'the connection was lost',
  EPIPE: 'the connection was lost',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no way to its address',
  ENETUNREACH: 'there is no way to its address',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  '57P01': 'it is being shut down',
  '57P02': 'it crashed',
  '57P03': 'it is starting or stopping',
  '53300': 'it has no room for another connection',
};

const STATES: Readonly<Record<string, readonly [code: string, message: string, fix: string]>> = {
  '28P01': ['E_SINK_CONNECT', 'the server refuses the user or the password', MEND_LOGIN],
  '28000': [
    'E_SINK_CONNECT',
    'the server does not let this user in (pg_hba.conf, or the role may not log in)',
    MEND_LOGIN,
  ],
  '3D000': ['E_SINK_CONNECT', 'the server has no such database', 'check `database`, or make it'],
  '25006': [
    'E_SINK_WRITE',
    'the server takes no writes: it is a standby, or role, database or server are set to read only (default_transaction_read_only)',
    'give the address of the primary server, or `alter role … set default_transaction_read_only = off`; the stream goes on by itself',
  ],
  '40001': ['E_SINK_WRITE', 'another transaction wrote the same rows', 'nothing: it is tried again'],
  '40P01': ['E_SINK_WRITE', 'another transaction and this one waited for each other', 'nothing: it is tried again'],
  '55P03': [
    'E_SINK_WRITE',
    'another transaction holds a lock that is needed',
    'end it (pg_stat_activity shows it), or raise `statement_timeout`',
  ],
  '57014': [
    'E_SINK_WRITE',
    'a statement took longer than `statement_timeout`, or somebody cancelled it',
    'look for locks in pg_stat_activity, or raise `statement_timeout`',
  ],
  '53100': ['E_SINK_WRITE', "the server's disk is full", 'free some space'],
  '53200': ['E_SINK_WRITE', 'the server is out of memory', 'give it more, or make `batch` smaller'],
};

/** Whatever stopped the sink. */
export function sinkFault(thrown: unknown): SluiceError {
  if (isSluiceError(thrown)) return thrown;
  const codes = codesOf(thrown);
  const state = STATES[stateOf(thrown)];
  if (state !== undefined) {
    const [code, message, fix] = state;
    return sluiceError(code, { message, fix, cause: withoutText(thrown) });
  }
  const message = messageOf(thrown);
  const away = codes.map((code) => AWAY[code]).find((text) => text !== undefined);
  if (
    away !== undefined ||
    /timeout expired|Connection terminated|connection was closed|not queryable/i.test(message)
  ) {
    return sluiceError('E_SINK_CONNECT', {
      message: `the server is not there: ${away ?? 'the connection was lost'}`,
      fix: 'start the server, or check its address; the stream goes on by itself',
      cause: thrown,
    });
  }
  const refused = refusedConnection('E_SINK_CONNECT', thrown);
  if (refused !== null) return refused;
  if (stateOf(thrown) === '42501') {
    return sluiceError('E_SINK_WRITE', {
      message: `the role lacks a right: ${message}`,
      fix: 'grant it (`sluice check` writes the statement)',
      cause: thrown,
    });
  }
  return sluiceError('E_SINK_WRITE', { message: reasonOf(thrown), cause: withoutText(thrown) });
}

// A server's error carries rows and statements (detail, where, internalQuery): none of it may be stored with an event.
function withoutText(thrown: unknown): unknown {
  const state = stateOf(thrown);
  return state === '' ? thrown : Object.assign(new Error(reasonOf(thrown)), { code: state });
}

/** The rejection of one row, by the server. */
export function refused(table: string, thrown: unknown): SluiceError {
  return sluiceError('E_SINK_REJECT', {
    message: `table "${table}" refused the row: ${reasonOf(thrown)}`,
    cause: withoutText(thrown),
  });
}
