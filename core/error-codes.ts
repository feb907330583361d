// The one table of codes. docs are generated from it (`scripts/error-page.mjs`), and the class decides the exit code.
// invalid: what somebody wrote is wrong (exit 2); environment: this machine or a server is not as needed (exit 3);
// runtime: it went wrong while running (exit 1). A plugin may use codes of its own; they count as runtime.

export type ErrorClass = 'invalid' | 'runtime' | 'environment';

export interface CodeRow {
  readonly class: ErrorClass;
  readonly means: string;
  readonly fix?: string;
}

const row = (cls: ErrorClass, means: string, fix?: string): CodeRow => ({
  class: cls,
  means,
  ...(fix === undefined ? {} : { fix }),
});

export const errorCodes: Readonly<Record<string, CodeRow | undefined>> = {
  // the command line
  E_USAGE: row('invalid', 'The command line is not understood.', 'run the verb with --help'),
  E_INTERNAL: row('runtime', 'A fault of Sluice itself.', 'report it with the log'),
  E_NOT_BUILT: row('invalid', 'The setting or verb is planned and not built yet.', 'leave it out'),

  // the manifest
  E_MANIFEST_READ: row('invalid', 'The manifest cannot be read.', 'check the path'),
  E_MANIFEST_SYNTAX: row('invalid', 'The manifest is no YAML or JSON.'),
  E_MANIFEST_INVALID: row('invalid', 'A value of the manifest breaks its schema.'),
  E_MANIFEST_UNKNOWN_KEY: row('invalid', 'A key of the manifest is not known.'),
  E_MANIFEST_VARIABLE: row(
    'invalid',
    'A ${env:…} or ${file:…} cannot be resolved.',
    'set it, or give a default with :-',
  ),
  E_MANIFEST_FILE: row('invalid', 'A file that the manifest names cannot be read.', 'check its path'),
  E_MANIFEST_NO_EFFECT: row('invalid', 'A setting does nothing where it stands (a warning).', 'leave it out'),
  E_MANIFEST_DUPLICATE: row('invalid', 'An id or key stands twice.', 'give each its own'),
  E_MANIFEST_REFERENCE: row('invalid', 'An id that is referred to is not declared.'),
  E_MANIFEST_CYCLE: row('invalid', "A stream's sink feeds another stream back to its source.", 'break the circle'),
  E_MANIFEST_SAME_PLACE: row('invalid', 'Two ends write to, or one stream reads and writes, the same place.'),
  E_CONFIG_INVALID: row('invalid', "A plugin's configuration breaks the plugin's schema."),

  // plugins
  E_PLUGIN_NOT_FOUND: row('invalid', 'No plugin of this name was found.', 'run `sluice plugins list`'),
  E_PLUGIN_API: row(
    'invalid',
    'The plugin was written for another version of the plugin API.',
    'install a version that fits',
  ),
  E_PLUGIN_PACKAGE: row('invalid', 'The "sluice" entry of the plugin\'s package.json is missing or wrong.'),
  E_PLUGIN_KIND: row('invalid', 'The plugin has no part of the kind that was asked for.', 'run `sluice plugins list`'),
  E_PLUGIN_SHAPE: row('invalid', 'The plugin does not export what definePlugin makes.'),
  E_PLUGIN_LOAD: row('environment', "The plugin's code cannot be loaded."),
  E_PLUGIN_DRIVER: row(
    'environment',
    "The plugin's driver cannot be loaded.",
    'install the driver named in its README',
  ),

  // events
  E_EVENT_PARSE: row('runtime', 'The text of an event is no JSON object.'),
  E_EVENT_NUMBER: row(
    'runtime',
    'A number of the event does not survive a double.',
    'quote it, or set `numbers: double` at the source',
  ),
  E_EVENT_SHAPE: row('runtime', 'A line is JSON and not a change event.'),
  E_EVENT_ENCODING: row('runtime', 'A line is no UTF-8.'),
  E_EVENT_VALUE: row(
    'runtime',
    "A value does not fit its column's type.",
    "set `integers: text`, or change the column's type",
  ),
  E_EVENT_SIZE: row('runtime', 'An event is larger than the source may read.'),

  // transforms
  E_TRANSFORM_SYNTAX: row('invalid', 'The transform does not compile.', 'mend the line that it names'),
  E_TRANSFORM_LOAD: row(
    'invalid',
    'The transform threw, or was too slow, while it was loaded.',
    'mend the line that it names; what runs at the top of the file must be quick',
  ),
  E_TRANSFORM_PACKAGE: row(
    'invalid',
    'The transform imports a package that it may not have, that is not installed, or that cannot run in the sandbox.',
    'list it under `packages` of the transformation, and install it beside the transform',
  ),
  E_TRANSFORM_ENGINE: row(
    'environment',
    "The version of a language's library that the transform names is not installed.",
    'install that version beside the transform, or name one that is',
  ),
  E_TRANSFORM_RUNTIME: row('runtime', 'The transform threw.'),
  E_TRANSFORM_TIMEOUT: row(
    'runtime',
    'The transform took longer than its time limit on this event.',
    'make it faster, or raise limits.timeout',
  ),
  E_TRANSFORM_MEMORY: row(
    'runtime',
    'The transform took more memory than its limit on this event.',
    'make it smaller, or raise limits.memory',
  ),
  E_TRANSFORM_CRASH: row('runtime', 'The transform ended its sandbox on this event.'),
  E_TRANSFORM_OUTPUT: row('runtime', 'The result is no valid row or event, or is too large.'),
  E_TRANSFORM_FAN_OUT: row('runtime', 'The transform gave more events than limits.fan_out.'),
  E_TRANSFORM_INPUT: row('runtime', 'The event is larger than limits.input.'),
  E_TRANSFORM_DEPTH: row('runtime', 'The event or the result is nested deeper than limits.depth.'),
  E_TRANSFORM_ENVELOPE: row('runtime', "The transform changed id, source or transaction, which are the engine's."),
  E_TRANSFORM_PARKED: row('runtime', 'The transform is parked.', 'fix it, then run `sluice resume`'),

  // tests of transforms
  E_TEST_READ: row('invalid', 'A test file, or an event file that it names, cannot be read.', 'check its path'),
  E_TEST_SYNTAX: row('invalid', 'A test file is no YAML or JSON.'),
  E_TEST_INVALID: row('invalid', 'A value of a test file breaks its schema, or contradicts another.'),
  E_TEST_UNKNOWN_KEY: row('invalid', 'A key of a test file is not known, so it would test nothing.'),
  E_TEST_TARGET: row(
    'invalid',
    'The transform that a test file is for cannot be found.',
    'name it: `transform: { file: ./…, type: … }`, or `manifest` and `transformation`',
  ),

  // sources and sinks
  E_SOURCE_CONNECT: row('environment', 'The source is not there.'),
  E_SOURCE_READ: row('environment', 'The source stopped giving events.'),
  E_SOURCE_POSITION: row(
    'runtime',
    'The saved position does not fit the source any more.',
    'take a snapshot, or set the checkpoint',
  ),
  E_SOURCE_TAP: row('runtime', 'This source cannot be tapped.', 'use `capture:` in the stream'),
  E_SOURCE_SETTINGS: row(
    'environment',
    'The server is not set up for what the source needs.',
    'run `sluice check`: it names the statement that mends it',
  ),
  E_SOURCE_RIGHTS: row(
    'environment',
    'The server refuses what the source needs to do.',
    'run `sluice check`: it names the statement for each right that is missing',
  ),
  E_SOURCE_PUBLICATION: row(
    'environment',
    'The publication is missing, or is another one than the position knows.',
    'drop the slot and clear the checkpoint, or make the publication',
  ),
  E_SOURCE_SLOT_MISSING: row(
    'runtime',
    'The replication slot that the position was read from is gone.',
    'clear the checkpoint: all rows are read again',
  ),
  E_SOURCE_SLOT_LOST: row(
    'runtime',
    'The server has thrown away the log that the replication slot needs.',
    'drop the slot and clear the checkpoint: all rows are read again',
  ),
  E_SOURCE_SLOT_ACTIVE: row(
    'environment',
    'Another connection reads from the replication slot.',
    'stop the other reader, or name another slot',
  ),
  E_SOURCE_SLOT_ADVANCED: row(
    'runtime',
    'Somebody else read from the replication slot, so changes after the position are gone.',
    'give each reader a slot of its own, and clear the checkpoint',
  ),
  E_SOURCE_SLOT_WRONG: row(
    'environment',
    'The replication slot is of another database or output plugin.',
    'name another slot',
  ),
  E_SOURCE_FAILOVER: row(
    'runtime',
    'The server that took over lacks what was already read from the one before it.',
    'clear the checkpoint: all rows are read again',
  ),
  E_SINK_CONNECT: row('environment', 'The sink is not there.'),
  E_SINK_WRITE: row('environment', 'The sink could not write.'),
  E_SINK_TIMEOUT: row('environment', 'The sink did not answer within its write_timeout.'),
  E_SINK_REJECT: row('runtime', 'The sink refused the event.'),
  E_SINK_KEY: row(
    'runtime',
    'The key columns that the sink writes by were changed or dropped.',
    'give the sink a `key`',
  ),
  E_SINK_DUPLICATE: row('runtime', 'Two outputs of one event have one key.'),
  E_SINK_RESULTS: row('runtime', 'The sink did not answer for every event.', 'report it to the author of the plugin'),
  E_SINK_ABSENT: row('runtime', 'The sink was away and is not needed.'),
  E_NOT_PARKED: row('invalid', 'What was to be resumed is not parked.', '`sluice status` shows what is parked'),
  E_STREAM_FAILED: row(
    'runtime',
    'The stream stopped because its policy says so.',
    'mend the cause and run again: the event is still pending',
  ),
  E_STREAM_ATTEMPTS: row('runtime', 'All attempts of the retry policy are used up.'),

  // state
  E_STATE_OPEN: row('environment', 'The state store cannot be opened.'),
  E_STATE_WRITE: row('environment', 'The state store cannot be written (a full disk, a read-only folder).'),
  E_STATE_GONE: row(
    'environment',
    'The state store, or the lock of a stream, was removed while it was open.',
    'leave these files alone while Sluice runs; put the state store back from a backup, or start again',
  ),
  E_STATE_CORRUPT: row(
    'environment',
    'The state store is damaged.',
    'restore it, or `sluice checkpoint set` from what you know',
  ),
  E_STATE_VERSION: row('environment', 'The state store was written by a newer Sluice.'),
  E_STATE_LOCKED: row('environment', 'Another process runs this stream.', 'stop it first'),
  E_CHECKPOINT_HOME: row(
    'runtime',
    'The home has no checkpoint while the state store has one.',
    'run `sluice checkpoint set` or `clear`',
  ),
  E_CHECKPOINT_EPOCH: row('runtime', 'A newer writer has taken over this stream.'),
  E_CHECKPOINT_VERSION: row('runtime', 'The position was written by a newer version of the plugin.'),
  E_DEAD_LETTER_NOT_FOUND: row('invalid', 'There is no such dead letter.', 'run `sluice dead-letters list`'),
  E_DEAD_LETTERS_FULL: row(
    'runtime',
    'The dead letters reached dead_letters.max_bytes.',
    'replay or ignore some, or raise it',
  ),
  E_DEAD_LETTER_SUPERSEDED: row(
    'invalid',
    'A later event of its key was delivered.',
    'use --force if you know that it is right',
  ),
  E_REQUEST_FAILED: row('runtime', 'The request could not be carried out.'),

  // the playground
  E_PLAYGROUND_REQUEST: row('invalid', 'A request to the playground breaks its schema.', 'see /api/openapi.json'),
  E_PLAYGROUND_TOKEN: row(
    'invalid',
    'A request to the playground has no token, or a wrong one.',
    'open the address that `sluice playground` printed',
  ),
  E_PLAYGROUND_ORIGIN: row(
    'invalid',
    'A request to the playground came for another host, or from another site.',
    'open the address that `sluice playground` printed',
  ),
  E_PLAYGROUND_NOT_FOUND: row('invalid', 'The playground has nothing of this name.'),
  E_PLAYGROUND_SIZE: row(
    'invalid',
    'A request to the playground, or what comes of it, is too large.',
    'take fewer or smaller events',
  ),
  E_PLAYGROUND_BUSY: row('runtime', 'The playground has too much to do at once.', 'try again in a moment'),
  E_PLAYGROUND_REPLACED: row('runtime', 'A newer run of the same tab ended this one.'),
  E_PLAYGROUND_CONFLICT: row(
    'runtime',
    'A file has changed on disk since it was read.',
    'look at both, and save the one that is meant',
  ),
  E_PLAYGROUND_TIME: row(
    'runtime',
    'A run took longer than the playground gives it.',
    'take fewer events, or make the transform faster',
  ),

  // serving
  E_PORT: row('environment', 'The port is taken or not allowed.'),
};
