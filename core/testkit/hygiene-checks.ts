// What the kit demands of a plugin as a lodger in somebody's process, seen from outside: each check runs the plugin in a Node
// process of its own. Importing it loads no driver; it writes nothing to standard output; and when its source or sink is
// disposed of, nothing of it keeps the process alive.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { PluginDefinition } from '../plugin.ts';
import { readPluginPackage } from '../registry/plugin-package.ts';
import type { Check } from './checks.ts';
import { decoded, within } from './context.ts';
import type { LodgerReport, LodgerTask } from './lodger.ts';
import type { ConformanceOptions } from './model.ts';

const kind = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const lodger = fileURLToPath(new URL(`./lodger.${kind}`, import.meta.url));
const oneSdk = new URL(`../registry/one-sdk.${kind}`, import.meta.url).href;

export function hygieneChecks(plugin: PluginDefinition, folder: string, options: ConformanceOptions): Check[] {
  const entry = (): string => pathToFileURL(readPluginPackage(folder, 'path').entry).href;
  const checks: Check[] = [
    {
      name: 'importing it loads no driver, writes nothing and keeps nothing open',
      async run() {
        const { report, stdout } = await lodge({ entry: entry(), kind: null, config: null, auth: null });
        const packages = [...new Set(report.loaded.map(packageOf))].filter((name) => !options.eager?.includes(name));
        assert.deepEqual(packages, [], 'packages that importing the plugin loads; import them on first use');
        assert.equal(stdout, '', 'standard output');
      },
    },
  ];
  for (const part of ['source', 'sink'] as const) {
    const stageOf = options[part];
    const definition = plugin[part];
    if (stageOf === undefined || definition === undefined) continue;
    checks.push({
      name: `${part}: when it is disposed of, the process ends by itself, and standard output is clean`,
      async run() {
        await using stage = await stageOf();
        const config = decoded(definition.config, stage.config);
        const { report, stdout } = await lodge({ entry: entry(), kind: part, config, auth: stage.auth ?? null });
        assert.equal(report.error, null);
        assert.ok(report.events > 0, part === 'source' ? 'no event was read' : 'no event was written');
        if (options.writesStdout !== true) assert.equal(stdout, '', 'standard output');
      },
    });
  }
  return checks;
}

async function lodge(task: LodgerTask): Promise<{ report: LodgerReport; stdout: string }> {
  const child = spawn(process.execPath, ['--no-warnings', '--import', oneSdk, lodger, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const texts = ['', '', '', ''];
  const heard = child.stdio.slice(1).map((stream, i) => {
    const readable = stream as NodeJS.ReadableStream;
    readable.setEncoding('utf8');
    readable.on('data', (text: string) => {
      texts[i + 1] += text;
    });
    return readable;
  });
  const reported = new Promise<void>((resolve) => {
    heard[2]!.on('data', () => texts[3]!.endsWith('\n') && resolve());
    child.once('close', () => resolve());
  });
  const closed = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  try {
    await within(30_000, "the plugin's work in its own process", reported);
    assert.notEqual(texts[3], '', `the process ended without a report:\n${texts[2]}`);
    const report = JSON.parse(texts[3]!) as LodgerReport;
    const open = report.open.length === 0 ? '' : ` (open: ${report.open.join(', ')})`;
    const code = await within(5_000, `the end of the process after dispose${open}`, closed);
    assert.equal(code, 0, `exit code of the process:\n${texts[2]}`);
    return { report, stdout: texts[1]! };
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL');
  }
}

/** The package that a file under node_modules belongs to. */
function packageOf(url: string): string {
  const path = url.slice(url.lastIndexOf('/node_modules/') + '/node_modules/'.length).split('/');
  return path[0]!.startsWith('@') ? `${path[0]}/${path[1]}` : path[0]!;
}
