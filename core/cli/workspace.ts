// What a verb works on: the manifest that was named, loaded with plugins and languages, and the state store behind it.

import { dirname } from 'node:path';
import { createLanguages } from '../../transforms/index.ts';
import { type ErrorData, sluiceError } from '../errors.ts';
import type { Languages } from '../languages.ts';
import { findingsJson, renderFindings } from '../manifest/frame.ts';
import { type Finding, type Loaded, loadManifest } from '../manifest/load.ts';
import type { Manifest, StreamConfig } from '../manifest/model.ts';
import { defaultLimits } from '../manifest/transformations.ts';
import { createLog, type Log, type LogLevel } from '../observe/log.ts';
import { createRegistry, type Registry } from '../registry/resolve.ts';
import { openStateStore } from '../state/index.ts';
import type { StateStore } from '../state/store.ts';
import { flag, type Invocation } from './command.ts';
import { manifestFile, mayHaveTransforms } from './manifest-file.ts';
import { exitCodeOfCode, hasErrors, maskErrorsWith, printJson, say, worst } from './output.ts';

export interface Opened extends AsyncDisposable {
  readonly file: string;
  readonly rest: readonly string[];
  readonly loaded: Loaded;
  readonly registry: Registry;
  readonly languages: Languages;
  readonly log: Log;
}

/**
 * `inspect`: for verbs that only look at the state; the manifest need not be runnable.
 * `runs`: transforms will run, so the sandbox starts while the manifest is read.
 * `edits`: code will be loaded again and again while somebody writes it.
 * `words`: the verb takes more than a manifest. All others refuse what is no file, or they would take ./sluice.yaml instead.
 */
export async function openWorkspace(
  invocation: Invocation,
  options: {
    readonly inspect?: boolean;
    readonly runs?: boolean;
    readonly edits?: boolean;
    readonly words?: boolean;
  } = {},
): Promise<Opened> {
  const { file, rest } = manifestFile(invocation.positionals);
  if (rest.length > 0 && options.words !== true) {
    const one = invocation.positionals.length === 1;
    throw sluiceError('E_USAGE', {
      message: one
        ? `"${rest[0]}" is no manifest`
        : `this verb takes one manifest, and "${rest[0]}" is one word too many`,
      fix: one ? `write its path, for example ./${rest[0]}.yaml; --stream picks a stream` : '--stream picks a stream',
    });
  }
  const log = createLog({ level: logLevel(invocation), format: 'auto', color: invocation.color });
  const registry = createRegistry({
    manifestDir: dirname(file),
    notice: (message) => log.info({}, message),
  });
  let proof: string | undefined;
  const languages = createLanguages({ log, proof: () => proof, ahead: options.edits === true });
  if (options.runs === true && mayHaveTransforms(file)) languages.warm(defaultLimits);
  const loaded = await loadManifest(file, {
    resolvePlugin: (name, kind) => registry.resolve(name, kind),
    languages,
    ...(options.inspect === true ? { inspect: true } : {}),
  });
  if (loaded.manifest !== null) {
    log.addSecrets(loaded.manifest.secrets);
    proof = proofFile(loaded.manifest);
  }
  maskErrorsWith(log.mask);
  return {
    file,
    rest,
    loaded,
    registry,
    languages,
    log,
    async [Symbol.asyncDispose]() {
      await languages[Symbol.asyncDispose]();
    },
  };
}

/** Where the sandbox remembers that it holds here: beside the state store's file. A store in memory remembers nothing. */
export function proofFile({ service }: Manifest): string | undefined {
  return service.state.type === 'sqlite' ? `${service.state.path}.sandbox.json` : undefined;
}

/** The manifest, or its findings printed and null: then the exit code is findingsExit(). */
export async function manifestOf(opened: Opened, invocation: Invocation): Promise<Manifest | null> {
  const { manifest, findings } = opened.loaded;
  if (manifest === null || hasErrors(findings)) {
    if (invocation.json) await printJson(findingsJson(findings));
    else say(renderFindings(findings, { sources: opened.loaded.sources, colour: invocation.color }));
    return null;
  }
  if (findings.length > 0 && !invocation.quiet && !invocation.json) {
    say(renderFindings(findings, { sources: opened.loaded.sources, colour: invocation.color }));
  }
  return manifest;
}

/** Worst finding wins: environment, invalid, runtime. */
export function findingsExit(findings: readonly Finding[]): number {
  const errors = findings.filter((finding) => finding.severity === 'error');
  return worst(errors.map((finding) => exitCodeOfCode(finding.code)));
}

export function logLevel(invocation: Invocation): LogLevel {
  if (invocation.verbose) return 'debug';
  return invocation.quiet ? 'error' : 'info';
}

/** The stream that --stream names, or the only one. */
export function oneStream(manifest: Manifest, invocation: Invocation): StreamConfig {
  const name = flag(invocation, 'stream');
  if (name !== undefined) return streamNamed(manifest, name);
  const [only, ...more] = manifest.streams;
  if (only === undefined || more.length > 0) {
    throw sluiceError('E_USAGE', {
      message: `the manifest has ${manifest.streams.length} streams, and this verb works on one`,
      fix: `name it with --stream: ${manifest.streams.map((stream) => stream.id).join(', ')}`,
    });
  }
  return only;
}

/** The streams that --stream names, or all of them. */
export function chosenStreams(manifest: Manifest, invocation: Invocation): readonly StreamConfig[] {
  const given = invocation.flags['stream'];
  const names = Array.isArray(given) ? (given as string[]) : typeof given === 'string' ? [given] : [];
  return names.length === 0 ? manifest.streams : names.map((name) => streamNamed(manifest, name));
}

function streamNamed(manifest: Manifest, name: string): StreamConfig {
  const found = manifest.streams.find((stream) => stream.id === name);
  if (found !== undefined) return found;
  throw sluiceError('E_USAGE', {
    message: `the manifest has no stream "${name}"`,
    fix: `its streams: ${manifest.streams.map((stream) => stream.id).join(', ')}`,
  });
}

/** Errors are masked before they are stored: a place may hold a path that came from a variable, and copies get around. */
export async function openStore(manifest: Manifest, log: Log): Promise<StateStore> {
  const store = await openStateStore(manifest.service.state, log);
  const masked = (error: ErrorData): ErrorData => log.mask.value(error) as ErrorData;
  return {
    ...store,
    saveStatus: (row) => store.saveStatus({ ...row, reason: row.reason === null ? null : masked(row.reason) }),
    write: (change) =>
      store.write({
        ...change,
        ...(change.deadLetters === undefined
          ? {}
          : { deadLetters: change.deadLetters.map((letter) => ({ ...letter, error: masked(letter.error) })) }),
      }),
  };
}
