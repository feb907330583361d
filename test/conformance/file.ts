// The file plugin before the kit: a source of rows with a line that cannot be read, and a sink of rows.

import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { ConformanceOptions } from '../../core/testkit.ts';
import { stageFolder } from './folder.ts';

const line = (n: number): string => `${JSON.stringify({ id: n, name: `name ${n} ü`, big: '9223372036854775807' })}\n`;

export const stages: Omit<ConformanceOptions, 'folder'> = {
  async source() {
    const folder = stageFolder();
    const path = folder.at('rows.ndjson');
    let lines = '';
    for (let n = 0; n < 20; n++) lines += n === 7 ? '{"id": 7, "torn\n' : line(n);
    writeFileSync(path, lines);
    let last = 20;
    return {
      config: { path, key: ['id'], follow: true, poll: '20ms' },
      events: 20,
      unreadable: 1,
      ends: false,
      async change(n) {
        for (let i = 0; i < n; i++) appendFileSync(path, line(last++));
      },
      [Symbol.asyncDispose]: () => folder.remove(),
    };
  },
  async sink() {
    const folder = stageFolder();
    const path = folder.at('out/rows.ndjson');
    return {
      config: { path },
      ops: ['c', 'u'],
      readBack: async () => (existsSync(path) ? readFileSync(path, 'utf8') : ''),
      // a delete has no row to write
      rejected: (event) => ({ ...event, op: 'd', before: event.after, after: null }),
      [Symbol.asyncDispose]: () => folder.remove(),
    };
  },
};
