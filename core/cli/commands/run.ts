// `sluice run`: runs the streams of a manifest until every source has ended, nothing has come for a while, or a signal.
// SIGINT and SIGTERM drain; a second one ends at once. Nothing is lost either way: what was not covered is read again.

import { startRun } from '../../engine/run.ts';
import { ledgerNow } from '../../engine/status.ts';
import { sluiceError, toSluiceError } from '../../errors.ts';
import { loadManifest } from '../../manifest/load.ts';
import { durationMs } from '../../manifest/units.ts';
import { createLog } from '../../observe/log.ts';
import { accountText, startProgress } from '../account.ts';
import { type Command, flag, type Invocation } from '../command.ts';
import { exitCodeOf, printError, printJson, say, shownError, worst } from '../output.ts';
import { onSignals } from '../signals.ts';
import { serveTelemetry } from '../telemetry.ts';
import { chosenStreams, findingsExit, logLevel, manifestOf, openStore, openWorkspace } from '../workspace.ts';

export const command: Command = {
  name: 'run',
  summary: 'Runs the streams of a manifest until their sources have ended, or until it is stopped.',
  usage: 'run [manifest] [--stream id] [--until-idle 2s]',
  examples: ['run examples/quickstart/sluice.yaml --until-idle 2s', 'run ./sluice.yaml --stream orders'],
  options: {
    stream: { type: 'string', multiple: true, help: 'run only this stream (may be given several times)' },
    'until-idle': { type: 'string', help: 'end with 0 when nothing has come for this long' },
  },
  async run(invocation) {
    const untilIdle = idleTime(invocation);
    await using opened = await openWorkspace(invocation, { runs: true });
    const manifest = await manifestOf(opened, invocation);
    if (manifest === null) return findingsExit(opened.loaded.findings);
    const { service } = manifest;
    const log = createLog({
      level: invocation.verbose || invocation.quiet ? logLevel(invocation) : service.log_level,
      format: service.log_format,
      secrets: manifest.secrets,
      color: invocation.color,
    });
    const named = invocation.flags['stream'] !== undefined;
    await using store = await openStore(manifest, log);
    const run = startRun({
      manifest,
      store,
      languages: opened.languages,
      log,
      ...(named ? { streams: chosenStreams(manifest, invocation).map((stream) => stream.id) } : {}),
      ...(untilIdle === null ? {} : { untilIdle }),
      reload: async (id) => {
        const again = await loadManifest(opened.file, {
          resolvePlugin: (name, kind) => opened.registry.resolve(name, kind),
          languages: opened.languages,
        });
        const stream = again.manifest?.streams.find((s) => s.id === id);
        if (stream === undefined) {
          throw sluiceError('E_REQUEST_FAILED', {
            message: 'the manifest on disk is not valid',
            fix: 'run `sluice validate`',
          });
        }
        return stream;
      },
    });
    if (run.statuses.length === 0) {
      throw sluiceError('E_USAGE', {
        message: 'no stream of the manifest is enabled',
        fix: 'set `enabled: true`, or name one with --stream',
      });
    }
    const signals = onSignals(() => run.stop());
    const serving = await serveTelemetry(service, run.statuses).catch(async (thrown: unknown) => {
      run.stop();
      run.stop();
      await run.done;
      throw toSluiceError(thrown);
    });
    const onTerminal = process.stderr.isTTY === true && !invocation.quiet && !invocation.json;
    const progress = onTerminal ? startProgress(run.statuses, process.stderr) : null;
    for (const status of run.statuses) log.info({ stream: status.id }, `stream ${status.id} starts`);
    const ends = await run.done;
    progress?.stop();
    signals.end();
    await serving?.[Symbol.asyncDispose]();

    if (invocation.json) {
      await printJson({
        streams: run.statuses.map((status, i) => {
          const end = ends[i]!;
          return {
            id: status.id,
            state: status.state,
            ledger: ledgerNow(status),
            ...(end.state === 'failed' ? { error: shownError(end.error) } : {}),
          };
        }),
      });
    } else if (!invocation.quiet) say(`\n${accountText(run.statuses)}\n`);
    if (ends.some((end) => end.state === 'stopped' && end.left === true)) endTheProcess();
    const failures = ends.flatMap((end) => (end.state === 'failed' ? [end.error] : []));
    if (!invocation.json) for (const error of failures) await printError(error, invocation);
    if (failures.length > 0) return worst(failures.map(exitCodeOf));
    return signals.code;
  },
};

function idleTime(invocation: Invocation): number | null {
  const text = flag(invocation, 'until-idle');
  if (text === undefined) return null;
  const ms = durationMs(text);
  if (ms === null || ms <= 0) {
    throw sluiceError('E_USAGE', {
      message: '--until-idle takes a duration with its unit',
      fix: 'write for example --until-idle 2s',
    });
  }
  return ms;
}

/** What a plugin left running must not keep the process: once the exit code is set and the output is written, it ends. */
function endTheProcess(): void {
  setTimeout(() => process.exit(), 1_000).unref();
}
