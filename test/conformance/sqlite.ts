// The sqlite plugin before the kit: a source that reads rows and then follows, and a sink that can be the home.

import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { ConformanceOptions } from '../../core/testkit.ts';
import type { Json } from '../../core/values.ts';
import { stageFolder } from './folder.ts';

const TABLE =
  'create table orders (id integer primary key, name text not null, big bigint, price decimal(10,2), picture blob)';

export const stages: Omit<ConformanceOptions, 'folder'> = {
  async source() {
    const folder = stageFolder();
    const path = folder.at('shop.db');
    let last = 0;
    const insert = async (n: number): Promise<void> => {
      using db = new DatabaseSync(path);
      db.exec('begin');
      const add = db.prepare('insert into orders values (?, ?, ?, ?, ?)');
      for (let i = 0; i < n; i++) {
        last++;
        add.run(last, `name ${last} ü`, 9223372036854775807n - BigInt(last), `${last}.10`, Buffer.from([0, last, 255]));
      }
      db.exec('commit');
    };
    {
      using db = new DatabaseSync(path);
      db.exec('pragma journal_mode = wal');
      db.exec(TABLE);
    }
    await insert(20);
    return {
      config: { path, poll: '20ms' },
      events: 20,
      ends: false,
      change: insert,
      broken: { config: { path: folder.at('planted-secret/missing.db'), busy_timeout: '10ms' }, secret: 'hunter2' },
      [Symbol.asyncDispose]: () => folder.remove(),
    };
  },
  async sink() {
    const folder = stageFolder();
    const path = folder.at('warehouse.db');
    return {
      config: { path, busy_timeout: '1s' },
      readBack: async () => (existsSync(path) ? rowsOf(path) : {}),
      // a column that the table's own rules refuse
      rejected: (event) => ({ ...event, after: { ...event.after, id: 'no number' } }),
      [Symbol.asyncDispose]: () => folder.remove(),
    };
  },
};

/** The rows of every table that is not Sluice's own. */
function rowsOf(path: string): Json {
  using db = new DatabaseSync(path, { readOnly: true });
  const tables = db.prepare("select name from sqlite_schema where type = 'table' order by name").all();
  const found: Record<string, Json> = {};
  for (const { name } of tables as { name: string }[]) {
    if (/^_*sluice|^sqlite_/.test(name)) continue;
    found[name] = db.prepare(`select * from "${name}" order by 1`).all() as unknown as Json;
  }
  return found;
}
