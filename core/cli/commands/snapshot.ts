// `sluice snapshot`: has a stream read its tables again, in chunks, while it goes on streaming. Sinks then delete what is not at the
// source any more, where that can be known for sure.

import { sluiceError } from '../../errors.ts';
import type { StreamConfig } from '../../manifest/model.ts';
import { type Command, flag } from '../command.ts';
import { printJson, say } from '../output.ts';
import { leaveRequest } from '../requests.ts';
import { findingsExit, manifestOf, oneStream, openStore, openWorkspace } from '../workspace.ts';

export const command: Command = {
  name: 'snapshot',
  summary: 'Has the source of a stream read its tables again, while streaming goes on.',
  usage: 'snapshot [manifest] [--stream id] [--table name] [--where condition]',
  examples: [
    'snapshot examples/quickstart/sluice.yaml --stream shop',
    'snapshot examples/quickstart/sluice.yaml --stream shop --table orders --json',
  ],
  options: {
    stream: { type: 'string', help: 'the stream; needed where the manifest has several' },
    table: { type: 'string', help: 'one table, as the source names it; by default all that it reads' },
    where: { type: 'string', help: "a condition in the source's SQL; then nothing is deleted at the sinks" },
    'accept-ghosts': {
      type: 'boolean',
      help: 'go on although rows that are not at the source any more cannot be told at a sink, and stay there',
    },
  },
  async run(invocation) {
    await using opened = await openWorkspace(invocation, { inspect: true });
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    const config = oneStream(manifest, invocation);
    const table = flag(invocation, 'table');
    const where = flag(invocation, 'where');
    if (config.source.plugin.source?.requests?.includes('snapshot') !== true) {
      throw sluiceError('E_REQUEST_FAILED', {
        message: `the ${config.source.type} source takes no snapshots while it runs`,
        fix: '`sluice checkpoint clear` reads it from the beginning',
      });
    }
    const why = where === undefined ? ghostsOf(config) : null;
    if (why !== null && invocation.flags['accept-ghosts'] !== true) {
      throw sluiceError('E_USAGE', {
        message: `rows that are not at the source any more would stay: ${why}`,
        fix: 'give --accept-ghosts if that is right, or empty the target first',
      });
    }
    await using store = await openStore(manifest, opened.log);
    const body = { ...(table === undefined ? {} : { table }), ...(where === undefined ? {} : { where }) };
    const taken = await leaveRequest(store, { stream: config.id, type: 'snapshot', body });
    if (invocation.json)
      await printJson({ stream: config.id, snapshot: taken === 'done' ? 'started' : 'left', ...body });
    else if (taken === 'done') say(`✓ ${config.id}: the snapshot has started; \`sluice status\` shows it`);
    else say(`✓ ${config.id}: no process runs it; the snapshot begins with the next \`sluice run\``);
    return 0;
  },
};

/** Why the rows of a sink cannot be told by the source's keys (DELIVERY.md, section 6); null: they can. */
function ghostsOf(config: StreamConfig): string | null {
  const rule = config.transformations.find((one) => one.plugin?.transform !== undefined || one.scope === 'event');
  if (rule !== undefined) return `transformation ${rule.id} may give rows other keys`;
  const sink = config.sinks.find((one) => (one.config as { key?: unknown }).key !== undefined);
  return sink === undefined ? null : `sink ${sink.id} writes by a key of its own`;
}
