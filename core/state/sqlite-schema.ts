// The tables of the state store, as the steps that lead to them. `user_version` is how many have been taken.
// A step that was released is never changed: a store that took it would differ from a new one without a sign of it.

export const migrations: readonly string[] = [
  `
  -- A ring per stream: the checkpoint with the greatest seq is the current one, the others are its history.
  -- A save overwrites the oldest and never the current one.
  create table checkpoint (
    stream text not null,
    slot integer not null,
    seq integer not null,
    text text not null,
    primary key (stream, slot)
  );
  create unique index checkpoint_newest on checkpoint (stream, seq);

  -- No autoincrement: with it, a letter that fails again would use up a number. Letters are never deleted; whoever
  -- adds that must leave the newest, or its number would be given again.
  create table dead_letter (
    id integer primary key,
    stream text not null,
    event_id text not null,
    place_kind text not null,
    place_id text not null,
    source_event_id text not null,
    table_name text not null,
    key text,
    event text not null,
    input text,
    columns text,
    transform text,
    code text not null,
    error text not null,
    attempts integer not null,
    failed_at text not null,
    first_failed_at text not null,
    status text not null,
    status_at text not null,
    note text,
    entered integer not null,
    superseded_by integer not null default 0, -- source events that had entered with the one that superseded it
    bytes integer not null,
    unique (stream, event_id, place_kind, place_id)
  );
  create index dead_letter_pending on dead_letter (stream, id) where status = 'pending';

  -- The bytes of the pending letters, kept with them: the sum is asked for with every batch.
  create table pending_bytes (
    stream text not null,
    place_kind text not null,
    place_id text not null,
    bytes integer not null,
    primary key (stream, place_kind, place_id)
  ) without rowid;

  create table request (
    number integer primary key autoincrement,
    stream text not null,
    type text not null,
    body text not null,
    status text not null default 'waiting',
    result text not null default 'null',
    created_at text not null
  );
  create index request_open on request (stream, number) where status in ('waiting', 'running');

  create table status (stream text primary key, text text not null) without rowid;

  create table capture (
    number integer primary key autoincrement,
    stream text not null,
    event_id text not null,
    event text not null,
    captured_at text not null,
    details text not null,
    bytes integer not null
  );
  create index capture_stream on capture (stream, number);
  `,
];
