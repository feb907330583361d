// What `sluice check` asks of the file plugin: can the file be read, can it be written. Leaves nothing behind.

import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CheckResult, isSluiceError, messageOf } from 'sluice/sdk';
import type { SinkConfig, SourceConfig } from './config.ts';
import { notAFile, sinkFault } from './faults.ts';
import { openText } from './text.ts';

export async function checkSource(config: SourceConfig): Promise<readonly CheckResult[]> {
  try {
    await using text = await openText(config.path, true);
    if (config.follow && text.gzip) {
      return [{ ok: false, name: 'follow', message: 'a gzip file cannot be followed', fix: 'leave `follow` out' }];
    }
    await text.head(1);
    return [{ ok: true, name: 'read', message: text.gzip ? 'the file is readable gzip' : 'the file is readable' }];
  } catch (error) {
    return [failed('read', error)];
  }
}

export async function checkSink(config: SinkConfig): Promise<readonly CheckResult[]> {
  let path = config.path;
  try {
    const found = await stat(path).catch(() => null);
    if (found !== null && !found.isFile()) throw notAFile(path, 'sink', found.isDirectory());
    // The nearest folder that is there: the others will be made in it.
    while ((await stat(path).catch(() => null)) === null && dirname(path) !== path) path = dirname(path);
    await access(path, constants.W_OK);
    return [{ ok: true, name: 'write', message: 'the file can be written' }];
  } catch (error) {
    return [failed('write', isSluiceError(error) ? error : sinkFault('E_SINK_CONNECT', error, config.path))];
  }
}

function failed(name: string, error: unknown): CheckResult {
  const fix = isSluiceError(error) ? error.fix : undefined;
  return { ok: false, name, message: messageOf(error), ...(fix === undefined ? {} : { fix }) };
}
