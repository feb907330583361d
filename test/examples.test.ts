// Runs every example as a newcomer does, and the quickstart's whole story: a dead letter is seen, the transform mended, and
// the order replayed, with the very commands that the quickstart prints. Each in a copy of the examples in a folder that
// looks like a checkout (`core` and `node_modules` are links), so nothing is written into the real one.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { childrenOf, type SluiceResult, sluice, startSluice, until } from './cli.ts';

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const copies: string[] = [];

function checkout(): string {
  const copy = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-examples-')));
  copies.push(copy);
  const isMade = (path: string): boolean => ['data', '.sluice'].includes(basename(path)) || path.endsWith('.bak');
  cpSync(join(root, 'examples'), join(copy, 'examples'), { recursive: true, filter: (path) => !isMade(path) });
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  for (const name of ['core', 'node_modules']) symlinkSync(join(root, name), join(copy, name));
  return copy;
}

afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
});

// What npm tells its scripts would tell an inner npm that it is in the real checkout.
function ownEnvironment(): NodeJS.ProcessEnv {
  const foreign = (name: string): boolean => /^(npm_|NODE_OPTIONS$|NODE_ENV$|INIT_CWD$)/.test(name);
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign(name))), NO_COLOR: '1' };
}

async function shell(line: string, cwd: string): Promise<Said> {
  try {
    const options = { cwd, env: ownEnvironment(), timeout: 90_000, maxBuffer: 1 << 26 };
    return { code: 0, ...(await promisify(execFile)('sh', ['-c', line], options)) };
  } catch (thrown) {
    const { code, stdout, stderr } = thrown as { code: unknown; stdout: string; stderr: string };
    return { code: typeof code === 'number' ? code : -1, stdout, stderr };
  }
}

function ndjson(file: string): Record<string, unknown>[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  expect(lines.pop(), `${file} ends with a line's end`).toBe('');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

function rowsOf(file: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

describe('the quickstart', () => {
  let copy = '';
  let quickstart: Said;
  const data = (name: string): string => join(copy, 'examples/quickstart/data', name);
  const printed = (): string[] => quickstart.stdout.match(/^ {2}(?:npm|sed) .*$/gm)?.map((line) => line.trim()) ?? [];
  const status = async (): Promise<{ ledger: unknown; dead_letters_pending: number }> => {
    const { stdout } = await sluice(['status', 'examples/quickstart/sluice.yaml', '--json'], { cwd: copy });
    return JSON.parse(stdout).streams[0];
  };

  beforeAll(async () => {
    copy = checkout();
    quickstart = await shell('npm run -s quickstart', copy);
  });

  // The shop's orders with what the transform makes of them, worked out without it; money in cents, as whole numbers.
  function expectedOrders(): Record<string, unknown>[] {
    const sql = 'select cast(id as text) as id, status, items, email from orders order by id';
    return rowsOf(data('shop.db'), sql).map(({ id, status: state, items, email }) => {
      const lines = Object.values(JSON.parse(String(items))) as { price: string; quantity: number }[];
      const cents = lines.reduce((sum, line) => sum + BigInt(line.price.replace('.', '')) * BigInt(line.quantity), 0n);
      const total = `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`;
      return { id, status: state, total, lines: lines.length, email: email === null ? null : '***@example.com' };
    });
  }
  const arrivedOrders = (): Record<string, unknown>[] =>
    rowsOf(data('warehouse.db'), 'select cast(id as text) as id, status, total, lines, email from orders order by id');
  const isPoisonous = (order: Record<string, unknown>): boolean => order['id'] === poisonous();
  function poisonous(): string {
    const [row, ...more] = rowsOf(data('shop.db'), "select cast(id as text) as id from orders where items like '{%'");
    expect(more).toEqual([]);
    return String(row?.['id']);
  }

  test('ends by itself with 0, and its account adds up', async () => {
    expect(quickstart.stderr).toMatch(/^shop +ended +350 +349 +0 +0 +1 +0$/m);
    expect(quickstart.code).toBe(0);
    expect((await status()).ledger).toEqual({
      in: 350,
      delivered: 349,
      filtered: 0,
      skipped: 0,
      dead_lettered: 1,
      pending: 0,
    });
  });

  test('everything but the poisonous order arrives, masked and summed up', () => {
    expect(arrivedOrders()).toEqual(expectedOrders().filter((order) => !isPoisonous(order)));
    const customers = 'select cast(id as text) as id, city from customers order by id';
    expect(rowsOf(data('warehouse.db'), customers)).toEqual(rowsOf(data('shop.db'), customers));
    const history = readFileSync(data('history.ndjson'), 'utf8');
    expect(history).not.toMatch(/Lovelace|customer\.\d/);
    const ops = new Set(ndjson(data('history.ndjson')).map((event) => event['op']));
    expect(ops).toEqual(new Set(['r', 'c', 'u', 'd']));
    const moved = ndjson(data('history.ndjson')).filter(
      ({ op, before, after }) =>
        op === 'u' && (before as { id: string } | null)?.id !== (after as { id: string }).id && before !== null,
    );
    expect(moved, 'a customer got another id').toHaveLength(1);
  });

  test('one dead letter, mended and replayed with the commands that were printed', async () => {
    const [list, sed, dryRun, replay, last, ...more] = printed();
    expect(more).toEqual([]);

    const before = await shell(`${list!} --json`, copy);
    const letters = JSON.parse(before.stdout).dead_letters as { key: string; status: string; error: { at: unknown } }[];
    expect(letters).toHaveLength(1);
    const code = readFileSync(join(copy, 'examples/quickstart/reshape-orders.ts'), 'utf8').split('\n');
    const line = code.findIndex((text) => text.includes('lines.reduce(')) + 1;
    expect(letters[0]).toMatchObject({
      status: 'pending',
      keys: [JSON.stringify({ id: poisonous() })],
      error: {
        code: 'E_TRANSFORM_RUNTIME',
        at: {
          file: join(copy, 'examples/quickstart/reshape-orders.ts'),
          line,
          column: code[line - 1]!.indexOf('reduce') + 1,
        },
      },
    });
    expect((await shell(list!, copy)).stdout).toContain(`reshape-orders.ts:${line}:`);
    const { ledger } = await status();

    const early = await shell(dryRun!, copy);
    expect(early.code, 'not mended yet').toBe(1);
    expect(early.stdout).toContain('fails again');

    expect(await shell(sed!, copy)).toMatchObject({ code: 0 });
    const dry = await shell(dryRun!, copy);
    expect(dry.stdout).toMatch(/^ +\+ +"total": "187\.00"$/m);
    expect(dry.stdout).toMatch(/^ +- +"items": /m);
    expect(dry.stdout).toContain('1 of 1 would pass');
    expect(arrivedOrders().filter(isPoisonous), 'a dry run writes nothing').toEqual([]);

    expect(await shell(replay!, copy)).toMatchObject({ code: 0, stdout: expect.stringContaining('1 of 1 settled') });
    expect(await status()).toMatchObject({ ledger, dead_letters_pending: 0 });
    expect((await shell(last!, copy)).stdout).not.toContain('dead letters are pending');
    expect(JSON.parse((await shell(`${list!} --json`, copy)).stdout).dead_letters).toMatchObject([
      { status: 'resolved' },
    ]);
    expect(arrivedOrders()).toEqual(expectedOrders());
    const lines = ndjson(data('history.ndjson')).filter((event) =>
      isPoisonous((event['after'] ?? {}) as Record<string, unknown>),
    );
    expect(lines).toMatchObject([{ op: 'c', after: { total: '187.00' } }]);
  });

  test('ends the shop with the stream when it is ended', async () => {
    const other = checkout();
    const child = spawn(process.execPath, [join(other, 'examples/quickstart/start.mjs')], {
      cwd: other,
      env: ownEnvironment(),
      stdio: 'ignore',
    });
    const exit = once(child, 'exit');
    try {
      const pids = await until('both run', () => {
        const found = childrenOf(child.pid!);
        return found.length === 2 && found;
      });
      child.kill('SIGTERM');
      expect((await exit)[0]).toBe(143);
      for (const pid of pids) expect(existsSync(`/proc/${pid}`), `process ${pid} is gone`).toBe(false);
      const shop = join(other, 'examples/quickstart/data/shop.db');
      const [count] = rowsOf(shop, 'select count(*) as orders from orders');
      expect(count?.['orders'], 'the shop was ended, not waited for').toBeLessThan(expectedOrders().length);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('leaves nothing for git to see', async () => {
    const made = ['data/shop.db', 'data/history.ndjson', 'reshape-orders.ts.bak'].map(
      (p) => `examples/quickstart/${p}`,
    );
    const ignored = await shell(`git check-ignore ${made.join(' ')} examples/file-to-file/data/orders.ndjson`, root);
    expect(ignored.stdout.trim().split('\n')).toHaveLength(4);
  });
});

describe('the other examples', () => {
  const run = (copy: string, name: string): Promise<SluiceResult> =>
    sluice(['run', `examples/${name}/sluice.yaml`], { cwd: copy });

  test('sample-to-console prints the twelve events of the story', async () => {
    const result = await run(checkout(), 'sample-to-console');
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout.match(/^(read|create|update|delete) (customers|orders) /gm)).toHaveLength(12);
    expect(result.stdout).toContain('"email": "***"');
    expect(result.stdout).not.toContain('@');
  });

  test('file-to-file masks, leaves out test orders, and keeps the broken line as a dead letter', async () => {
    const copy = checkout();
    const result = await run(copy, 'file-to-file');
    expect(result).toMatchObject({ code: 0 });
    expect(result.stderr).toMatch(/^orders +ended +5 +3 +1 +0 +1 +0$/m);
    const rows = ndjson(join(copy, 'examples/file-to-file/data/orders.ndjson'));
    expect(rows.map((row) => [row['id'], row['card']])).toEqual([
      [1, '************1111'],
      [3, '***********0009'],
      [5, '************0004'],
    ]);
    const list = await sluice(['dead-letters', 'list', 'examples/file-to-file/sluice.yaml'], { cwd: copy });
    expect(list.stdout).toContain('orders.ndjson:4 ');
  });

  test('webhook-to-file has an order in the file before it answers 202, and drains on SIGTERM', async () => {
    const copy = checkout();
    const running = startSluice(['run', 'examples/webhook-to-file/sluice.yaml'], { cwd: copy, env: { PORT: '0' } });
    try {
      const port = await until(
        'the webhook listens',
        () => /"port":(\d+).*the webhook listens/.exec(running.said().stderr)?.[1],
      );
      const post = (secret: string): Promise<Response> =>
        fetch(`http://127.0.0.1:${port}/orders`, {
          method: 'POST',
          headers: { 'x-sluice-secret': secret, 'idempotency-key': '7f3a' },
          body: '{"id": 7, "total": "9.90"}',
        });
      expect((await post('not the secret')).status).toBe(401);
      expect((await post('only-for-trying')).status).toBe(202);
      const events = ndjson(join(copy, 'examples/webhook-to-file/data/orders.ndjson'));
      expect(events).toMatchObject([{ id: '7f3a:0', op: 'c', key: { id: 7 }, after: { id: 7, total: '9.90' } }]);
    } finally {
      expect(await running.kill('SIGTERM')).toMatchObject({ code: 143 });
    }
  });

  test('every example is run here, and its manifest is valid', async () => {
    const own = readFileSync(fileURLToPath(import.meta.url), 'utf8');
    const names = readdirSync(join(root, 'examples'), { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
    for (const name of names) {
      expect(own, name).toMatch(new RegExp(`test\\('${name} |examples/${name}/sluice\\.yaml`));
      const result = await sluice(['validate', `examples/${name}/sluice.yaml`], { cwd: checkout() });
      expect(result, name).toMatchObject({ code: 0 });
    }
  });
});

describe('the READMEs', () => {
  const pages = ['README.md', 'core/README.md'];

  test('every link leads to a file, and every source file and test that is named is there', () => {
    const broken: string[] = [];
    for (const page of pages) {
      const text = readFileSync(join(root, page), 'utf8');
      const links = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
      const named = [...text.matchAll(/`([\w./-]+\.ts)`/g)].map((match) => match[1]!);
      expect(links.length + named.length, page).toBeGreaterThan(10);
      for (const link of [...links, ...named]) {
        if (link.includes('://')) continue;
        if (!existsSync(resolve(root, dirname(page), link)) && !existsSync(join(root, link)))
          broken.push(`${page}: ${link}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test('the quickstart is one line, and so is how to run the tests', () => {
    const text = readFileSync(join(root, 'README.md'), 'utf8');
    const block = (heading: string): string | undefined =>
      new RegExp(`^## ${heading}\\n(?:(?!## ).*\\n)*?\`\`\`sh\\n([^\\n]*)\\n\`\`\`$`, 'm').exec(text)?.[1];
    expect(block('Quickstart')).toBe('npm ci && npm run quickstart');
    expect(block('Tests')).toBe('npm ci && npm test');
  });
});
