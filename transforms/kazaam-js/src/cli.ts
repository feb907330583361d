#!/usr/bin/env node
// The command line of the original: kazaam-js -spec file [-in file] [-out file]. Without -in it reads from standard input, without
// -out it prints to standard output, adding no newline. One document; any failure ends with 1 and a line on standard error.
// Bytes that are no UTF-8 are refused: as text they would come out as others.

import { readFileSync, writeFileSync } from 'node:fs';
import { documentText } from './bytes.ts';
import { EXTENSIONS, type Extension } from './context.ts';
import { Kazaam, type KazaamOptions } from './kazaam.ts';
import { stepPlaces } from './spec.ts';

const USAGE = `Usage: kazaam-js -spec file [-in file] [-out file] [-strict] [-timezone name] [-extensions all|name,…]

  kazaam-js -spec spec.json -in event.json
  echo '{"a":1}' | kazaam-js -spec spec.json -strict

  -spec file        the specification, a JSON list of steps (required)
  -in file          the document; standard input if it is missing
  -out file         where the result goes; standard output if it is missing
  -strict           refuse documents that are not JSON
  -timezone name    the zone of $now and $unix, as Europe/Berlin; UTC if it is missing
  -extensions list  what the original does not have: ${EXTENSIONS.join(', ')}
  -verbose          say on standard error what was read and written
  -h, -help         this
`;

const FLAGS = ['strict', 'help', 'h', 'verbose'];
const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];
const VALUES = ['spec', 'in', 'out', 'timezone', 'extensions'];

/** The flags as Go takes them: -name value, --name value, -name=value, -flag, -flag=false. @throws Error for what is none */
function readFlags(args: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const [, name = '', equals] = /^--?([a-z]+)(?:=(.*))?$/s.exec(args[i]!) ?? [];
    if (FLAGS.includes(name)) {
      if (equals === undefined || TRUE.includes(equals)) found.set(name, '');
      else if (FALSE.includes(equals)) found.delete(name);
      else throw new Error(`-${name} is true or false, and not ${equals}`);
    } else if (VALUES.includes(name)) {
      const value = equals ?? args[++i];
      if (value === undefined) throw new Error(`-${name} needs a value`);
      found.set(name, value);
    } else throw new Error(`unknown argument ${args[i]}`);
  }
  return found;
}

function optionsOf(flags: ReadonlyMap<string, string>): KazaamOptions {
  const timeZone = flags.get('timezone');
  const extensions = flags.get('extensions');
  const named = extensions === 'all' ? EXTENSIONS : ((extensions?.split(',') ?? []) as Extension[]);
  return { strict: flags.has('strict'), extensions: named, ...(timeZone === undefined ? {} : { timeZone }) };
}

function reading<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`);
  }
}

function main(args: readonly string[]): void {
  const flags = readFlags(args);
  if (flags.has('help') || flags.has('h')) {
    process.stdout.write(USAGE);
    return;
  }
  const specFile = flags.get('spec');
  if (specFile === undefined) throw new Error('Must specify a Kazaam specification file');
  const spec = reading('Unable to read Kazaam specification file', () =>
    documentText(readFileSync(specFile)).replace(/^\ufeff/, ''),
  );
  const kazaam = reading('Unable to load Kazaam specification file', () => new Kazaam(spec, optionsOf(flags)));
  const input = reading('Unable to open specified input', () => documentText(readFileSync(flags.get('in') ?? 0)));
  const output = reading('Unable to transform message', () => kazaam.transform(input));
  const out = flags.get('out');
  if (flags.has('verbose')) {
    const [read, written] = [input, output].map((text) => Buffer.byteLength(text));
    process.stderr.write(`kazaam-js: ${stepPlaces(spec).length} steps, ${read} bytes read, ${written} bytes written\n`);
  }
  if (out === undefined) process.stdout.write(output);
  else reading('Unable to write transformed output', () => writeFileSync(out, output));
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error; // whoever read the result has gone, and wants no more of it
});

try {
  main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`kazaam-js: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
