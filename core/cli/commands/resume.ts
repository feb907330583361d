// `sluice resume`: ends the parking of a transformation whose isolates died too often, or of a table. A table begins again with a
// snapshot, which only the running source can take: with no process running, the request waits for the next run.

import type { Parked } from '../../checkpoint.ts';
import { resumeAlone } from '../../engine/attend.ts';
import { ended, type ResumeBody } from '../../engine/parking.ts';
import { isSluiceError, type SluiceError, sluiceError } from '../../errors.ts';
import type { StateStore } from '../../state/store.ts';
import { tablesNamed } from '../../table-name.ts';
import type { Json } from '../../values.ts';
import { type Command, flag } from '../command.ts';
import { printJson, say, shownError } from '../output.ts';
import { byRequestOr, leaveRequest } from '../requests.ts';
import { findingsExit, manifestOf, oneStream, openStore, openWorkspace } from '../workspace.ts';

export const command: Command = {
  name: 'resume',
  summary: 'Ends the parking of a transformation, whose events are run again, or of a table, which is read again.',
  usage: 'resume [manifest] [--stream id] [--transform id | --table name]',
  examples: ['resume examples/quickstart/sluice.yaml', 'resume examples/quickstart/sluice.yaml --stream shop --json'],
  options: {
    stream: { type: 'string', help: 'the stream; needed where the manifest has several' },
    transform: { type: 'string', help: 'the transformation; by default everything that is parked in the stream' },
    table: { type: 'string', help: 'the table, as `sluice status` names it' },
  },
  async run(invocation) {
    await using opened = await openWorkspace(invocation);
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    await using store = await openStore(manifest, opened.log);
    const config = oneStream(manifest, invocation);
    const id = flag(invocation, 'transform');
    if (id !== undefined && !config.transformations.some((rule) => rule.id === id)) {
      const known = config.transformations.map((rule) => rule.id).join(', ') || 'none';
      throw sluiceError('E_USAGE', {
        message: `stream ${config.id} has no transformation ${id}`,
        fix: `its transformations are: ${known}`,
      });
    }
    const table = flag(invocation, 'table');
    if (table !== undefined && id !== undefined) {
      throw sluiceError('E_USAGE', { message: '--transform and --table together', fix: 'name one of them' });
    }
    const known = (await store.loadCheckpoint(config.id))?.parked ?? [];
    const all = known.filter((one) => one.kind === 'table');
    const wanted = table === undefined ? all : named(all, table);
    if (table !== undefined && wanted.length === 0) ended(known, { kind: 'table', id: table });
    const { tables, left, failed } = await resumeTables(store, config.id, id === undefined ? wanted : []);
    if (table !== undefined && failed.length > 0) throw failed[0]!.error;
    if (table !== undefined) {
      if (invocation.json) await printJson({ stream: config.id, resumed: tables, left });
      else sayTables(config.id, tables, left);
      return 0;
    }
    const body: ResumeBody = { kind: 'transform', ...(id === undefined ? {} : { id }) };
    const { languages, log } = opened;
    const opening = { config, store, languages, log, signal: new AbortController().signal };
    let running = true;
    const request = { stream: config.id, type: 'resume', body: body as unknown as Json };
    const resumed = await byRequestOr(store, request, async () => {
      const done = await resumeAlone(opening, body);
      running = false;
      return done;
    });
    if (invocation.json) {
      const not = failed.map(({ table, error }) => ({ table, error: shownError(error) }));
      const more = failed.length === 0 ? {} : { failed: not };
      await printJson({ stream: config.id, resumed: [...tables, ...(resumed ?? [])], left, ...more });
    } else {
      sayTables(config.id, tables, left);
      for (const { table, error } of failed) {
        say(
          `✗ ${config.id}: table ${table} stays parked: ${error.message}${error.fix === undefined ? '' : ` (${error.fix})`}`,
        );
      }
      if (resumed === null || resumed.length > 0 || wanted.length === 0) sayWhat(config.id, resumed, running);
    }
    return failed.length === 0 ? 0 : 1;
  },
};

/** The tables of that name; without a schema it is that of any, but only of one. */
function named(tables: readonly Parked[], name: string): readonly Parked[] {
  const found = tablesNamed(
    name,
    tables.map(({ id }) => id),
  );
  if (found.length < 2) return tables.filter(({ id }) => found.includes(id));
  throw sluiceError('E_USAGE', {
    message: `several tables are called ${name}: ${found.toSorted().join(', ')}`,
    fix: 'name one of them with its schema',
  });
}

interface ResumedTables {
  readonly tables: readonly Parked[];
  /** Of them, those that wait for the next run. */
  readonly left: readonly string[];
  readonly failed: readonly { readonly table: string; readonly error: SluiceError }[];
}

/** One table that cannot be read yet holds up no other. */
async function resumeTables(store: StateStore, stream: string, wanted: readonly Parked[]): Promise<ResumedTables> {
  const tables: Parked[] = [];
  const left: string[] = [];
  const failed: { table: string; error: SluiceError }[] = [];
  for (const one of wanted) {
    try {
      const request = { stream, type: 'resume', body: { kind: 'table', id: one.id } };
      if ((await leaveRequest(store, request)) === 'left') left.push(one.id);
      tables.push(one);
    } catch (thrown) {
      if (!isSluiceError(thrown)) throw thrown;
      failed.push({ table: one.id, error: thrown });
    }
  }
  return { tables, left, failed };
}

function sayTables(stream: string, tables: readonly Parked[], left: readonly string[]): void {
  for (const { id } of tables) {
    say(
      left.includes(id)
        ? `✓ ${stream}: no process runs it; table ${id} is resumed by the next \`sluice run\`, with a snapshot`
        : `✓ ${stream}: table ${id} is resumed, and read again`,
    );
  }
}

/** `resumed` null: done by a process that ended before it could say what. */
function sayWhat(stream: string, resumed: readonly Parked[] | null, running: boolean): void {
  if (resumed?.length === 0) {
    say(`nothing is parked in stream ${stream}`);
    return;
  }
  for (const { kind, id } of resumed ?? []) say(`✓ ${stream}: ${kind} ${id} is resumed`);
  if (running) say('  the running stream keeps the code that it started with: a change of it needs a restart');
  say('  what failed meanwhile is in the dead letters: `sluice dead-letters replay` tries it again');
}
