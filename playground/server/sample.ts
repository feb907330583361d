// What `sluice playground` opens without a manifest: a small shop in a folder of its own, with a transform that works on all
// of its events but one, and tests of it. It is a project like any other, and `keep` copies it to where it is wanted.

import { rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sluiceError } from 'sluice/sdk';

const MANIFEST = `# A small shop that needs no server: twelve changes of customers and orders, each through mask-and-count.js.
#
#   sluice test .
#   sluice run sluice.yaml
version: 1
service:
  state: { type: sqlite, path: ./data/state.db }

transformations:
  - id: mask-and-count
    type: javascript
    file: ./mask-and-count.js

streams:
  - id: shop
    source: { type: sample, events: 12 }
    redact: { patterns: [] } # nobody in this shop is real
    transformations: [mask-and-count]
    sinks:
      - { id: out, type: file, path: ./data/shop.ndjson, format: event }
`;

const TRANSFORM = `// Runs once for each row. Change it: the list of events shows at once what becomes of each.
export default (row, ctx) => {
  if (ctx.event.op === 'd') return null; // nothing comes out: the event is filtered
  if (ctx.event.source.table === 'customers') {
    return { ...row, email: row.email?.replace(/^[^@]+/, '***') ?? null };
  }
  // One order has a text where all others have a list. It fails here, and no other event does.
  const pieces = row.items.reduce((sum, item) => sum + item.quantity, 0);
  return { ...row, pieces };
};
`;

const TESTS = `# yaml-language-server: $schema=./node_modules/sluice/schemas/transform-tests.schema.json
manifest: ./sluice.yaml
transformation: mask-and-count
tests:
  - name: hides who a mail goes to
    event: { op: c, key: { id: 1 }, after: { id: 1, email: jane@shop.example }, source: { table: customers } }
    expect: { row: { email: "***@shop.example" } }

  - name: counts the pieces of an order
    event:
      op: c
      key: { id: "7" }
      after: { id: "7", items: [{ sku: TEA-01, quantity: 2 }, { sku: CUP-07, quantity: 1 }] }
      source: { table: orders }
    expect: { row: { pieces: 3 } }
`;

const FILES: Readonly<Record<string, string>> = {
  'sluice.yaml': MANIFEST,
  'mask-and-count.js': TRANSFORM,
  'mask-and-count.tests.yaml': TESTS,
};

export interface SampleProject extends AsyncDisposable {
  /** Absolute path of its manifest. */
  readonly file: string;
  /** Copies it, as it is now, into a new folder below `dir`. */
  keep(dir: string): Promise<{ readonly folder: string; readonly files: readonly string[] }>;
}

export async function sampleProject(): Promise<SampleProject> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-playground-'));
  // also what is written there at the very end, when the project is closed already
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(folder, name), text);
  return {
    file: join(folder, 'sluice.yaml'),
    async keep(dir) {
      for (let n = 1; n < 100; n++) {
        const to = join(dir, n === 1 ? 'sluice-shop' : `sluice-shop-${n}`);
        try {
          await mkdir(to); // of its own: nothing of anybody's is mixed with it
          // what was written and tried here, but not its state: the copy begins at the beginning
          const isOwn = (path: string): boolean => !path.startsWith(join(folder, 'data'));
          await cp(folder, to, { recursive: true, filter: isOwn });
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          if (code === 'EEXIST') continue;
          throw sluiceError('E_MANIFEST_FILE', {
            message: `the files cannot be written (${code ?? 'unknown'})`,
            fix: 'start the playground in a folder that can be written',
          });
        }
        return { folder: to, files: (await readdir(to)).sort() };
      }
      throw sluiceError('E_PLAYGROUND_CONFLICT', { message: 'there are a hundred copies of the shop here already' });
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}
