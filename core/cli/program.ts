// The command line. Finds the verb, reads its flags, runs it, and turns whatever it throws into one message and an exit code:
// 0 ok, 1 run-time failure, 2 invalid input, 3 environment, 130 and 143 for SIGINT and SIGTERM.

import { sluiceError } from '../errors.ts';
import { nearest } from '../manifest/nearest.ts';
import { helpText, parse } from './args.ts';
import { headStart } from './head-start.ts';
import { printData, printError } from './output.ts';
import { verbs } from './verbs.ts';
import { version } from './version.ts';

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--version' || name === '-v') {
    await printData(version());
    return 0;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    await printData(overview());
    return name === undefined ? 2 : 0;
  }
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb === undefined) {
    const near = nearest(name, Object.keys(verbs));
    throw sluiceError('E_USAGE', {
      message: `sluice has no verb "${name}"`,
      fix: near === null ? 'run `sluice --help`' : `did you mean \`sluice ${near}\`?`,
    });
  }
  if (name === 'run') await headStart(rest);
  const { command } = await verb.load();
  const parsed = parse(command, rest);
  if (parsed.help) {
    await printData(helpText(command));
    return 0;
  }
  return await command.run(parsed.invocation);
}

function overview(): string {
  const width = Math.max(...Object.keys(verbs).map((name) => name.length)) + 2;
  const lines = Object.entries(verbs).map(([name, verb]) => `  ${name.padEnd(width)}${verb.summary}`);
  return [
    '  sluice run examples/quickstart/sluice.yaml --until-idle 2s',
    '  sluice plugins list',
    '',
    'Moves change events from a source to sinks, through transforms in a sandbox.',
    '',
    'Usage: sluice <verb> [manifest] [flags]',
    '',
    ...lines,
    '',
    'The manifest is ./sluice.yaml unless another is named. `sluice <verb> --help` says more.',
    '',
  ].join('\n');
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (process.argv[2] === 'run') return; // a sink that writes to stdout hears of it by its own write, and fails its stream
  if (error.code === 'EPIPE') process.exit(0); // whoever read our output has gone, and wants no more of it
  throw error;
});

process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read what we said has gone. Their events have not: a verb goes on, and its exit code is that of its work.
  if (error.code !== 'EPIPE') throw error;
});

// `npm run` changes to the project's folder; paths are meant from where the command was given.
const from = process.env['INIT_CWD'];
if (process.env['npm_lifecycle_event'] === 'sluice' && from !== undefined) process.chdir(from);
const argv = process.argv.slice(2);
try {
  process.exitCode = await main(argv);
} catch (thrown) {
  process.exitCode = await printError(thrown, { json: argv.includes('--json'), verbose: argv.includes('--verbose') });
}
