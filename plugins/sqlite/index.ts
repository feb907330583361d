// The sqlite plugin: a source that follows a database by triggers, and a sink that upserts and can be the checkpoint's home.

import { existsSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CheckResult, definePlugin, type SluiceError } from 'sluice/sdk';
import { sinkConfig, sourceConfig } from './config.ts';
import { connect, type Mode } from './driver.ts';
import { sinkFault, sourceFault } from './faults.ts';
import { sourceNoEffect } from './no-effect.ts';
import { POSITION_VERSION, toPosition } from './position.ts';
import { createSink } from './sink.ts';
import { createSource } from './source.ts';

export default definePlugin({
  name: 'sqlite',
  source: {
    config: sourceConfig,
    positionVersion: POSITION_VERSION,
    requests: ['snapshot', 'park', 'resume'],
    batch: ['respect_source_tx'],
    checkPosition: (position) => void toPosition(position),
    create: createSource,
    check: (config) => checkFile(config.path, 'write', config.busy_timeout, sourceFault),
    noEffect: sourceNoEffect,
    place: (config) => (config.tables ?? ['*']).map((table) => `sqlite:${config.path}#${table}`),
  },
  sink: {
    config: sinkConfig,
    create: createSink,
    async check(config) {
      if (existsSync(config.path)) return checkFile(config.path, 'write', config.busy_timeout, sinkFault);
      return checkFolder(dirname(config.path));
    },
    place(config) {
      const { table } = config;
      const tables =
        table === undefined ? ['*'] : typeof table === 'string' ? [table] : [...new Set(Object.values(table))];
      return tables.map((name) => `sqlite:${config.path}#${name}`);
    },
    home: () => true,
  },
});

async function checkFile(
  path: string,
  mode: Mode,
  busyTimeout: number,
  fault: (thrown: unknown, path: string) => SluiceError,
): Promise<readonly CheckResult[]> {
  try {
    const db = await connect(path, mode, busyTimeout);
    try {
      await db.exec('BEGIN IMMEDIATE; ROLLBACK'); // the write lock is what both ends need
    } finally {
      await db.close();
    }
    return [{ ok: true, name: 'write', message: 'the database can be opened and written' }];
  } catch (thrown) {
    return [failed(fault(thrown, path))];
  }
}

function failed({ message, fix }: SluiceError): CheckResult {
  return { ok: false, name: 'write', message, ...(fix === undefined ? {} : { fix }) };
}

/** The sink makes its database with the first write; to check is to look, so only the folder is looked at. */
async function checkFolder(folder: string): Promise<readonly CheckResult[]> {
  try {
    await access(folder, constants.W_OK);
    return [{ ok: true, name: 'write', message: 'the database will be made with the first write' }];
  } catch {
    const message = 'the database does not exist, and its folder does not exist or cannot be written';
    return [{ ok: false, name: 'write', message, fix: 'check `path`, or make the folder' }];
  }
}
