// `sluice validate`: could this manifest ever work? Offline: syntax, schemas, references, plugin configurations, transforms.

import { toSluiceError } from '../../errors.ts';
import { findingsJson, renderFindings } from '../../manifest/frame.ts';
import type { Finding } from '../../manifest/load.ts';
import type { Manifest } from '../../manifest/model.ts';
import type { Command } from '../command.ts';
import { hasErrors, printJson, say } from '../output.ts';
import { findingsExit, type Opened, openWorkspace } from '../workspace.ts';

export const command: Command = {
  name: 'validate',
  summary: 'Checks a manifest without connecting to anything, and reports all that is wrong with it at once.',
  usage: 'validate [manifest] [--strict]',
  examples: ['validate examples/quickstart/sluice.yaml', 'validate ./sluice.yaml --json'],
  options: { strict: { type: 'boolean', help: 'warnings count as errors' } },
  async run(invocation) {
    await using opened = await openWorkspace(invocation);
    const { sources, manifest } = opened.loaded;
    const findings = [...opened.loaded.findings, ...(manifest === null ? [] : await loadAll(manifest, opened))];
    if (invocation.json) await printJson(findingsJson(findings));
    else if (findings.length > 0) say(renderFindings(findings, { sources, colour: invocation.color }));
    else if (!invocation.quiet) {
      const n = manifest?.streams.length ?? 0;
      say(`✓ ${opened.file} is valid: ${n} stream${n === 1 ? '' : 's'}`);
    }
    if (hasErrors(findings)) return findingsExit(findings);
    return invocation.flags['strict'] === true && findings.length > 0 ? 2 : 0;
  },
};

/** Loads each transform once in the sandbox: what throws or hangs there would only be known at the start of a run. */
async function loadAll(manifest: Manifest, opened: Opened): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const rule of manifest.transformations) {
    if (rule.plugin?.transform !== undefined) continue;
    try {
      const transform = await opened.languages.create(rule, { stream: 'validate', log: opened.log });
      await transform[Symbol.asyncDispose]();
    } catch (thrown) {
      findings.push({ severity: 'error', ...toSluiceError(thrown).toJSON() });
    }
  }
  return findings;
}
