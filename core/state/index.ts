// Opens the state store that the manifest names.

import type { ServiceConfig } from '../manifest/model.ts';
import type { Logger } from '../plugin.ts';
import { memoryStore } from './memory.ts';
import { openSqliteStore } from './sqlite.ts';
import type { StateStore } from './store.ts';
import { endHeadStart } from './thread.ts';

export { memoryStore } from './memory.ts';
export { openSqliteStore, type SqliteStoreOptions } from './sqlite.ts';
export type * from './store.ts';
export { letterBytes } from './tables.ts';

/** @throws SluiceError E_STATE_OPEN, E_STATE_VERSION, E_STATE_CORRUPT */
export async function openStateStore(config: ServiceConfig['state'], log?: Logger): Promise<StateStore> {
  if (config.type === 'memory') {
    endHeadStart();
    return memoryStore();
  }
  return openSqliteStore({ path: config.path, ...(log === undefined ? {} : { log }) });
}
