// The log: JSON lines in a pipe, readable lines on a terminal, always to stderr (stdout is for data).
// Guarantee: fields and message are masked before they are written (mask.ts), whatever they are; a log call never throws.
// Lines are written at once: what was logged before a crash is there after it.

import { fstatSync, writeSync } from 'node:fs';
import { pino } from 'pino';
import type { Logger } from '../plugin.ts';
import { type Mask, secretMask } from './mask.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel;
  /** `auto`: text on a terminal, else JSON. */
  readonly format?: 'json' | 'text' | 'auto';
  /** Every value that must never be shown. More can be added when they are known. */
  readonly secrets?: Iterable<string>;
  readonly color?: boolean;
  /** Where lines go; stderr by default. */
  readonly write?: (line: string) => void;
}

export interface Log extends Logger {
  /** A log that adds these fields to every record. */
  child(fields: object): Log;
  /** From now on these are masked too, also in children. */
  addSecrets(secrets: Iterable<string>): void;
  readonly mask: Mask;
}

const COLORS: Readonly<Record<LogLevel, string>> = { debug: '90', info: '32', warn: '33', error: '31' };

/** @example const log = createLog({ level: 'info', secrets: manifest.secrets }); */
export function createLog(options: LogOptions): Log {
  const write = options.write ?? writeStderr;
  const text = options.format === 'text' || (options.format !== 'json' && process.stderr.isTTY === true);
  const color = options.color ?? (process.stderr.isTTY === true && !process.env['NO_COLOR']);
  const known = new Set(options.secrets ?? []);
  let current = secretMask(known);
  // masked by what is known when it is shown, not when the log was made
  const mask: Mask = { text: (given) => current.text(given), value: (given) => current.value(given) };
  const lines = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
      // errors are opened up by the mask before pino sees them; its own way would drop code, fix and place
      serializers: { err: (value: unknown) => value },
    },
    { write: text ? (line: string) => write(readable(line, color)) : write },
  );
  const make = (fixed: object): Log => {
    const at =
      (level: LogLevel) =>
      (fields: object, message: string): void => {
        if (!lines.isLevelEnabled(level)) return;
        try {
          lines[level](mask.value({ ...fixed, ...plain(fields) }) as object, mask.text(message));
        } catch (error) {
          // a field whose getter throws must not stop a stream that is healthy
          lines.error({}, `a log record could not be written: ${mask.text(String(error))}`);
        }
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => make({ ...fixed, ...fields }),
      addSecrets(secrets) {
        for (const secret of secrets) known.add(secret);
        current = secretMask(known);
      },
      mask,
    };
  };
  return make({});
}

// `log.error(error, 'message')` is written often enough to be understood
function plain(fields: object): object {
  return fields instanceof Error ? { error: fields } : fields;
}

function readable(line: string, color: boolean): string {
  const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const paint = (code: string, given: string): string => (color ? `\u001b[${code}m${given}\u001b[0m` : given);
  const name = String(level) as LogLevel;
  const clock = String(time).slice(11, 23);
  const rest = Object.entries(fields)
    .map(([key, value]) => ` ${paint('90', `${key}=`)}${fieldText(value)}`)
    .join('');
  return `${paint('90', clock)} ${paint(COLORS[name], name.padEnd(5))} ${String(message ?? '')}${rest}\n`;
}

function fieldText(value: unknown): string {
  return typeof value === 'string' && /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}

// A pipe that nobody empties says EAGAIN, and a closed one EPIPE: the log waits for the first and gives up on the second.
function writeStderr(line: string): void {
  const bytes = Buffer.from(line, 'utf8');
  for (let from = 0, tries = 0; from < bytes.length; ) {
    try {
      from += writeSync(2, bytes, from);
      tries = 0;
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code !== 'EAGAIN' || !isOpen() || ++tries > 500) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

function isOpen(): boolean {
  try {
    fstatSync(2);
    return true;
  } catch {
    return false;
  }
}
