// The file source: reads a file of lines, or one JSON array, from a position to its end, or follows it as it grows.
// Guarantee: the same position gives the same events with the same ids and line numbers, however the file is cut into
// chunks and batches; half a line is never given while the file is followed. Reading leaves no trace, so a tap is a read.

import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Context, EventBatch, Source, SourceItem } from 'sluice/sdk';
import { pause, sluiceError } from 'sluice/sdk';
import { arrayScanner } from './array.ts';
import { eventBatch, type Origin, rowBatch } from './batches.ts';
import type { SourceConfig } from './config.ts';
import { lineScanner } from './lines.ts';
import { locate } from './locate.ts';
import { type FilePosition, HEAD, printOf, tagOf, toPosition } from './position.ts';
import { newRecords, type Records, type ScanLimits, type Scanner } from './records.ts';
import { openText, type Text } from './text.ts';
import { type Wake, wakeOn } from './wake.ts';

type Item = SourceItem<FilePosition>;

/** One text while it is read. */
interface Reading {
  readonly text: Text;
  readonly scanner: Scanner;
  readonly generation: number;
  tag: string;
  head: Buffer | null;
  /** The file that stands at the path now. Opened as soon as it is seen: by the time it is read, it may be renamed too. */
  successor: Text | null;
}

export function fileSource(config: SourceConfig, context: Context): Source<FilePosition> {
  const { path, follow } = config;
  const name = basename(path);
  const origin: Origin = {
    name,
    path,
    stream: context.stream,
    table: config.table ?? tableName(name),
    key: config.key,
    time: config.time,
    doubles: config.numbers === 'double',
  };
  const limits: ScanLimits = {
    path,
    maxLine: config.max_line,
    maxEvents: context.batch.maxEvents,
    maxBytes: context.batch.maxBytes,
  };
  const toBatch = (records: Records, tag: string): EventBatch =>
    config.format === 'row' ? rowBatch(records, tag, origin) : eventBatch(records, tag, origin);

  // An item, with the position after its last record.
  async function item(reading: Reading, records: Records): Promise<Item> {
    const { text, scanner, generation } = reading;
    const at = scanner.at();
    if (reading.head === null || (follow && reading.head.length < HEAD)) reading.head = await text.head(HEAD);
    if (reading.tag === '') reading.tag = tagOf(reading.head, at.kind, generation);
    const { kind, offset, line } = at;
    const head = printOf(reading.head.subarray(0, Math.min(HEAD, offset)));
    const position = { kind, offset, line, ino: text.ino, head, tail: printOf(at.tail), tag: reading.tag, generation };
    return { batch: toBatch(records, reading.tag), position };
  }

  // One text to its end; for a followed file, to the moment when it is cut or another one, its successor, takes its place.
  async function* readText(reading: Reading, wake: Wake | null, signal: AbortSignal): AsyncGenerator<Item> {
    const { text, scanner } = reading;
    let records = newRecords();
    while (!signal.aborted) {
      let chunk: Buffer | null;
      try {
        chunk = await text.next();
      } catch (error) {
        if (records.texts.length > 0) yield await item(reading, records); // what was readable is not lost with the rest
        throw error;
      }
      if (chunk !== null) {
        scanner.feed(chunk);
        while (scanner.fill(records)) {
          yield await item(reading, records);
          records = newRecords();
          if (signal.aborted) return;
        }
        continue;
      }
      if (records.texts.length > 0 && wake !== null) {
        yield await item(reading, records);
        records = newRecords();
        if (signal.aborted) return;
      }
      if (wake === null || reading.successor !== null) {
        yield* rest(reading, records);
        return;
      }
      reading.successor = await successorOf(text, path);
      // The writer may still have the old file open for a moment after the rename: look once more after a poll.
      if (reading.successor !== null) await pause(config.poll, signal);
      else await wake.wait(signal);
      // Before anything is read on: in a file that was cut and has grown again, the place means nothing.
      if (!signal.aborted && !(await text.intact())) {
        context.log.warn({}, 'the file was cut while it was followed; reading from its beginning');
        yield* rest(reading, records);
        return;
      }
    }
  }

  // The text has ended: a last line without a newline is a line now.
  async function* rest(reading: Reading, records: Records): AsyncGenerator<Item> {
    reading.scanner.end(records);
    if (records.texts.length > 0) yield await item(reading, records);
  }

  async function* read(from: FilePosition | null, signal: AbortSignal): AsyncGenerator<Item> {
    const located = await locate(path, from === null ? null : toPosition(from), follow, context.log);
    using wake = follow ? wakeOn(path, config.poll) : null;
    let { text, generation, from: at } = located;
    let moved = false;
    for (;;) {
      await using open = text;
      if (follow && open.gzip) throw notFollowed('a gzip file', path);
      // An empty batch moves the position to the new file: the old one may now be deleted.
      if (moved) yield { batch: rowBatch(newRecords(), '', origin), position: beginning(open, generation) };
      const scanner = at === null || at.offset === 0 ? await begin(open, wake, limits, signal) : resume(at, limits);
      if (scanner === null) return;
      const reading: Reading = { text: open, scanner, generation, tag: at?.tag ?? '', head: null, successor: null };
      let next: Text | null = null;
      try {
        yield* readText(reading, wake, signal);
        if (wake === null || signal.aborted) return;
        next = reading.successor ?? (await openAgain(path, wake, signal));
      } finally {
        if (next === null) await reading.successor?.[Symbol.asyncDispose]();
      }
      if (next === null) return;
      text = next;
      generation++;
      at = null;
      moved = true;
    }
  }

  return {
    read,
    ack: async () => {},
    async [Symbol.asyncDispose]() {},
  };
}

/** `orders.2024.ndjson.gz` is the table `orders`. */
const tableName = (file: string): string => file.replace(/(?<=.)\..*$/, '');

const beginning = (text: Text, generation: number): FilePosition => {
  const none = printOf(new Uint8Array());
  return { kind: 'lines', offset: 0, line: 1, ino: text.ino, head: none, tail: none, tag: '', generation };
};

function resume(at: FilePosition, limits: ScanLimits): Scanner {
  if (at.kind === 'lines') return lineScanner(at.offset, at.line, limits);
  return arrayScanner({ offset: at.offset, line: at.line, closed: at.kind === 'closed', fresh: false }, limits);
}

// Looks at the first bytes: past a byte order mark, `[` begins an array. null: stopped before there was anything.
async function begin(text: Text, wake: Wake | null, limits: ScanLimits, signal: AbortSignal): Promise<Scanner | null> {
  for (;;) {
    const head = await text.head(HEAD);
    if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
      throw sluiceError('E_SOURCE_READ', {
        message: 'the file is UTF-16',
        fix: 'convert it to UTF-8',
        at: { file: text.path },
        permanent: true,
      });
    }
    const mark = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
    const shown = head.toString('latin1', mark);
    const first = shown.search(/[^ \t\r\n]/);
    if (first >= 0 && shown[first] === '[') {
      if (wake !== null) throw notFollowed('a JSON array', text.path);
      const offset = mark + first + 1;
      await text.seek(offset, 0);
      const line = shown.slice(0, first).split('\n').length;
      return arrayScanner({ offset, line, closed: false, fresh: true }, limits);
    }
    if (first >= 0 || wake === null || head.length === HEAD) {
      await text.seek(mark, 0);
      return lineScanner(mark, 1, limits);
    }
    await wake.wait(signal);
    if (signal.aborted) return null;
  }
}

function notFollowed(what: string, path: string): Error {
  return sluiceError('E_CONFIG_INVALID', {
    message: `${what} cannot be followed`,
    fix: 'leave `follow` out, or write one JSON object a line, uncompressed',
    at: { file: path },
    permanent: true,
  });
}

// null while the same file stands at the path, and while none does: then the new one is still to come.
async function successorOf(text: Text, path: string): Promise<Text | null> {
  const now = await stat(path, { bigint: true }).catch(() => null);
  return now === null || String(now.ino) === text.ino ? null : openText(path, false);
}

async function openAgain(path: string, wake: Wake, signal: AbortSignal): Promise<Text | null> {
  while (!signal.aborted) {
    if ((await stat(path).catch(() => null)) !== null) return openText(path, false);
    await wake.wait(signal);
  }
  return null;
}
