// `sluice validate`: could this manifest ever work? Offline: syntax, schemas, references, plugin configurations, transforms.

import { findingsJson, renderFindings } from '../../manifest/frame.ts';
import type { Command } from '../command.ts';
import { hasErrors, printJson, say } from '../output.ts';
import { findingsExit, openWorkspace } from '../workspace.ts';

export const command: Command = {
  name: 'validate',
  summary: 'Checks a manifest without connecting to anything, and reports all that is wrong with it at once.',
  usage: 'validate [manifest] [--strict]',
  examples: ['validate examples/quickstart/sluice.yaml', 'validate ./sluice.yaml --json'],
  options: { strict: { type: 'boolean', help: 'warnings count as errors' } },
  async run(invocation) {
    await using opened = await openWorkspace(invocation);
    const { findings, sources, manifest } = opened.loaded;
    if (invocation.json) await printJson(findingsJson(findings));
    else if (findings.length > 0) say(renderFindings(findings, { sources, colour: invocation.color }));
    else if (!invocation.quiet) {
      const n = manifest?.streams.length ?? 0;
      say(`✓ ${opened.file} is valid: ${n} stream${n === 1 ? '' : 's'}`);
    }
    if (hasErrors(findings)) return findingsExit(opened);
    return invocation.flags['strict'] === true && findings.length > 0 ? 2 : 0;
  },
};
