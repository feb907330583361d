// Reads the command line: global flags, a verb, its flags. What is not known is an error with the nearest known word.

import { parseArgs } from 'node:util';
import { sluiceError } from '../errors.ts';
import { nearest } from '../manifest/nearest.ts';
import type { Command, Invocation } from './command.ts';

const GLOBAL = {
  json: { type: 'boolean', help: 'print one JSON object on stdout' },
  quiet: { type: 'boolean', short: 'q', help: 'say only what went wrong' },
  verbose: { type: 'boolean', help: 'say more' },
  'no-color': { type: 'boolean', help: 'no colours' },
  help: { type: 'boolean', short: 'h', help: 'show this' },
} as const;

export type Parsed = { readonly help: true } | { readonly help: false; readonly invocation: Invocation };

export function parse(command: Command, argv: readonly string[]): Parsed {
  const options = { ...GLOBAL, ...command.options };
  let values: Record<string, string | boolean | (string | boolean)[] | undefined>;
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true }));
  } catch (error) {
    throw usageError(error as NodeJS.ErrnoException, command, argv, Object.keys(options));
  }
  if (values['help'] === true) return { help: true };
  return {
    help: false,
    invocation: {
      positionals,
      flags: values as Invocation['flags'],
      json: values['json'] === true,
      quiet: values['quiet'] === true,
      verbose: values['verbose'] === true,
      color: values['no-color'] !== true && !process.env['NO_COLOR'] && process.stderr.isTTY === true,
    },
  };
}

function usageError(error: NodeJS.ErrnoException, command: Command, argv: readonly string[], known: readonly string[]) {
  const fix = `run \`sluice ${command.name} --help\``;
  if (error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    return sluiceError('E_USAGE', { message: error.message.split(/\.\s/)[0] ?? error.message, fix });
  }
  const word = argv.find((arg) => arg.startsWith('--') && !known.includes(arg.slice(2).split('=')[0]!)) ?? 'that flag';
  const near = nearest(word.replace(/^--/, ''), known);
  return sluiceError('E_USAGE', {
    message: `${command.name} does not know ${word.split('=')[0]}`,
    fix: near === null ? fix : `did you mean --${near}?`,
  });
}

export function helpText(command: Command): string {
  const lines = [
    `  sluice ${command.examples[0]}`,
    `  sluice ${command.examples[1]}`,
    '',
    command.summary,
    '',
    `Usage: sluice ${command.usage}`,
    '',
  ];
  const all: Command['options'] = { ...command.options, ...GLOBAL };
  const rows = Object.entries(all).map(([name, option]) => [
    `  ${'short' in option && option.short !== undefined ? `-${option.short}, ` : ''}--${name}${option.type === 'string' ? ' <value>' : ''}`,
    option.help,
  ]);
  const width = Math.max(...rows.map((row) => row[0]!.length)) + 2;
  return [...lines, ...rows.map((row) => row[0]!.padEnd(width) + row[1]!), ''].join('\n');
}
