// `sluice check`: would this manifest work here? Asks every source and sink whether it can connect and has its rights.

import { contextOf, type Opening } from '../../engine/open.ts';
import { toSluiceError } from '../../errors.ts';
import type { StreamConfig } from '../../manifest/model.ts';
import type { CheckResult } from '../../plugin.ts';
import type { Command } from '../command.ts';
import { printJson, say } from '../output.ts';
import { sandboxRows } from '../sandbox-rows.ts';
import { chosenStreams, findingsExit, manifestOf, openStore, openWorkspace, proofFile } from '../workspace.ts';

type Row = CheckResult & { readonly stream: string; readonly part: string };

export const command: Command = {
  name: 'check',
  summary:
    'Checks that the state store, sources and sinks of a manifest can be reached with the rights they need, and that the sandbox holds here.',
  usage: 'check [manifest] [--stream id]',
  examples: ['check examples/quickstart/sluice.yaml', 'check ./sluice.yaml --json'],
  options: { stream: { type: 'string', multiple: true, help: 'only this stream' } },
  async run(invocation) {
    await using opened = await openWorkspace(invocation);
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    await using store = await openStore(manifest, opened.log);
    const rows: Row[] = [
      { stream: '', part: 'state', ok: true, name: 'open', message: 'the state store can be opened' },
    ];
    const streams = chosenStreams(manifest, invocation);
    if (streams.some(runsUserCode)) {
      const found = await sandboxRows(proofFile(manifest));
      rows.push(...found.map((result): Row => ({ ...result, stream: '', part: 'sandbox' })));
    }
    for (const config of streams) {
      const signal = new AbortController().signal;
      rows.push(...(await checkStream({ config, store, languages: opened.languages, log: opened.log, signal })));
    }
    if (invocation.json) await printJson({ checks: opened.log.mask.value(rows) });
    else {
      for (const row of rows) {
        say(
          `${row.ok ? '✓' : '✗'} ${[row.stream, row.part].filter(Boolean).join('/')} ${row.name}: ${opened.log.mask.text(row.message)}`,
        );
        if (!row.ok && row.fix !== undefined) say(`    → ${row.fix}`);
      }
    }
    return rows.every((row) => row.ok) ? 0 : 3;
  },
};

const runsUserCode = (stream: StreamConfig): boolean =>
  stream.transformations.some((rule) => rule.plugin?.transform === undefined);

async function checkStream(opening: Opening): Promise<Row[]> {
  const { config } = opening;
  const rows = (await checkSource(config, opening)).map(
    (result): Row => ({ ...result, stream: config.id, part: 'source' }),
  );
  for (const sink of config.sinks) {
    const part = sink.plugin.sink!;
    const results = await guarded(() => part.check?.(sink.config, contextOf(opening, sink.auth)));
    rows.push(...results.map((result): Row => ({ ...result, stream: config.id, part: sink.id })));
  }
  return rows;
}

async function checkSource(config: StreamConfig, opening: Opening): Promise<readonly CheckResult[]> {
  const part = config.source.plugin.source!;
  return await guarded(() => part.check?.(config.source.config, contextOf(opening, config.source.auth)));
}

async function guarded(check: () => Promise<readonly CheckResult[]> | undefined): Promise<readonly CheckResult[]> {
  try {
    return (await check()) ?? [{ ok: true, name: 'check', message: 'the plugin has nothing to check' }];
  } catch (thrown) {
    const error = toSluiceError(thrown);
    return [
      {
        ok: false,
        name: 'check',
        message: `${error.code} ${error.message}`,
        ...(error.fix === undefined ? {} : { fix: error.fix }),
      },
    ];
  }
}
