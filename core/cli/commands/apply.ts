// `sluice apply`: the sandbox as a filter in a shell. One JSON value a line in, the results as one JSON value a line out.
// Guarantees: results come in the order of the lines, as soon as a slice is done; memory stays bounded however long the input
// is; a line that fails is told on stderr with its number, and the others go on.

import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { createLanguages } from '../../../transforms/index.ts';
import { type ErrorData, sluiceError } from '../../errors.ts';
import type { LoadedFilter } from '../../languages.ts';
import { createLog } from '../../observe/log.ts';
import { createRegistry } from '../../registry/resolve.ts';
import { ruleFlags, ruleFrom } from '../apply-rule.ts';
import type { Command, Invocation } from '../command.ts';
import { placeText, printData, say } from '../output.ts';
import { logLevel } from '../workspace.ts';

const SLICE_LINES = 500;
const SLICE_BYTES = 512 * 1024;

export const command: Command = {
  name: 'apply',
  summary: 'Runs a transform as a filter: one JSON value a line in, its results out, one a line.',
  usage: 'apply (--file <path> | --expr <code>) [--type language] [input files] < rows.ndjson',
  examples: [
    "apply --expr '({ ...row, total: row.total * 2 })' examples/file-to-file/orders.ndjson",
    'apply --file examples/file-to-file/real-orders.ts examples/file-to-file/orders.ndjson',
  ],
  options: ruleFlags,
  async run(invocation) {
    const log = createLog({ level: logLevel(invocation), format: 'text', color: invocation.color });
    await using languages = createLanguages({ log });
    const registry = createRegistry({ manifestDir: process.cwd() });
    const rule = await ruleFrom(invocation, languages.names, (name, kind) => registry.resolve(name, kind));
    await using filter = await languages.createFilter(rule, { log });
    const never = new AbortController().signal;
    let failed = 0;
    for await (const slice of slices(invocation.positionals)) {
      const answers = await filter.apply(slice.values, never);
      const out: string[] = [];
      for (const [i, answer] of answers.entries()) {
        if ('outputs' in answer) out.push(...answer.outputs);
        else {
          failed++;
          tellFailure(slice.values[i]!.id, answer.error.toJSON(), invocation);
        }
      }
      for (const line of slice.broken) {
        failed++;
        tellFailure(line, sluiceError('E_EVENT_ENCODING', { message: 'the line is no UTF-8' }).toJSON(), invocation);
      }
      if (out.length > 0) await printData(out.join('\n'));
    }
    return failed === 0 ? 0 : 1;
  },
};

function tellFailure(line: string, error: ErrorData, invocation: Invocation): void {
  if (invocation.json) say(JSON.stringify({ line: Number(line), error }));
  else {
    const at = error.at?.line === undefined ? '' : `  ${placeText(error.at)}`;
    say(`✗ line ${line}  ${error.code}${at}  ${error.message.split('\n')[0]}`);
  }
}

type Value = Parameters<LoadedFilter['apply']>[0][number];

interface Slice {
  readonly values: readonly Value[];
  /** Lines that are no UTF-8, by their numbers. */
  readonly broken: readonly string[];
}

/**
 * The lines of the inputs, numbered from 1 over all of them; lines with nothing on them are counted and left out. What has
 * come is given at once: with a slow input nothing waits for more.
 */
async function* slices(files: readonly string[]): AsyncGenerator<Slice> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let values: Value[] = [];
  let broken: string[] = [];
  let bytes = 0;
  let number = 0;
  const add = (line: Buffer): void => {
    number++;
    let text: string;
    try {
      text = decoder.decode(line).trim();
    } catch {
      broken.push(String(number));
      return;
    }
    if (text === '') return;
    values.push({ id: String(number), text });
    bytes += line.length;
  };
  const take = (): Slice => {
    const slice = { values, broken };
    values = [];
    broken = [];
    bytes = 0;
    return slice;
  };
  const inputs = files.map((file) => [file, createReadStream(resolve(file))] as const);
  for (const [name, input] of files.length === 0 ? [['stdin', process.stdin] as const] : inputs) {
    let parts: Buffer[] = []; // of a line that has not ended
    for await (const chunk of chunksOf(name, input)) {
      let from = 0;
      for (let end = chunk.indexOf(10); end >= 0; from = end + 1, end = chunk.indexOf(10, from)) {
        add(Buffer.concat([...parts, chunk.subarray(from, end)]));
        parts = [];
        if (values.length >= SLICE_LINES || bytes >= SLICE_BYTES) yield take();
      }
      if (from < chunk.length) parts.push(chunk.subarray(from));
      if (values.length + broken.length > 0) yield take();
    }
    if (parts.length > 0) add(Buffer.concat(parts));
    if (values.length + broken.length > 0) yield take();
  }
}

async function* chunksOf(name: string, input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* input;
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown';
    throw sluiceError('E_USAGE', {
      message: `${name} cannot be read (${code})`,
      fix: 'check its path',
      cause: thrown,
    });
  }
}
