// `sluice resume`: ends the parking of a transformation whose isolates died too often, or of a table. A table begins again with a
// snapshot, which only the running source can take: with no process running, the request waits for the next run.

import type { Parked } from '../../checkpoint.ts';
import { resumeAlone } from '../../engine/attend.ts';
import { ended, type ResumeBody } from '../../engine/parking.ts';
import { sluiceError } from '../../errors.ts';
import type { Json } from '../../values.ts';
import { type Command, flag } from '../command.ts';
import { printJson, say } from '../output.ts';
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
    const tables = known.filter((one) => one.kind === 'table' && (table === undefined || one.id === table));
    if (table !== undefined && tables.length === 0) ended(known, { kind: 'table', id: table });
    const left: string[] = [];
    for (const one of id === undefined ? tables : []) {
      const request = { stream: config.id, type: 'resume', body: { kind: 'table', id: one.id } };
      if ((await leaveRequest(store, request)) === 'left') left.push(one.id);
    }
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
    if (invocation.json) await printJson({ stream: config.id, resumed: [...tables, ...(resumed ?? [])], left });
    else {
      sayTables(config.id, tables, left);
      if (resumed === null || resumed.length > 0 || tables.length === 0) sayWhat(config.id, resumed, running);
    }
    return 0;
  },
};

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
