// Bundles the playground's page (playground/web/) into one script beside its HTML, CSS, icon, and the licences of what is in it. `build.mjs` puts it into the
// package; from a checkout the playground's server asks `webFolder()` for it, which builds once for each state of the sources.
// Guarantee: what is in the folder was made from the sources as they are, by the versions in the lock file; a build that
// failed or was killed leaves nothing behind that looks like one.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { licencesOf } from './licences.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const web = join(root, 'playground', 'web');
const cache = join(root, 'node_modules', '.cache', 'sluice-web');
const KEPT = 5;
const AS_THEY_ARE = ['index.html', 'app.css', 'icon.svg'];

/** Builds the page into `out`, which must not exist. */
export async function buildWeb(out) {
  const { rolldown } = await import('rolldown');
  mkdirSync(dirname(out), { recursive: true });
  const folder = mkdtempSync(`${out}.`);
  try {
    const bundle = await rolldown({
      input: join(web, 'main.tsx'),
      platform: 'browser',
      tsconfig: join(web, 'tsconfig.json'),
      transform: { target: 'es2022' },
      logLevel: 'warn',
    });
    const options = { dir: folder, format: 'esm', minify: true, entryFileNames: 'app.js', codeSplitting: false };
    const { output } = await bundle.write(options);
    await bundle.close();
    writeFileSync(join(folder, 'LICENSES.txt'), licencesOf(output.flatMap((chunk) => chunk.moduleIds ?? [])));
    for (const file of AS_THEY_ARE) cpSync(join(web, file), join(folder, file));
    chmodSync(folder, 0o755);
    renameSync(folder, out);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    // two processes built the same at the same time, and the other one was first
    if (!existsSync(join(out, 'index.html'))) throw error;
  }
}

/** The folder of the page as the sources are now. Builds it on the first call after a change, in about a second. */
export async function webFolder() {
  const out = join(cache, fingerprint());
  if (!existsSync(join(out, 'index.html'))) {
    await buildWeb(out);
    // a few are left for servers that still run, and for copies of the project that share this folder
    const builds = readdirSync(cache).map((name) => ({
      path: join(cache, name),
      at: statSync(join(cache, name)).mtimeMs,
    }));
    for (const { path } of builds.sort((a, b) => b.at - a.at).slice(KEPT))
      rmSync(path, { recursive: true, force: true });
  }
  return out;
}

function fingerprint() {
  const hash = createHash('sha256');
  const files = readdirSync(web, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of [...files, join(root, 'package-lock.json'), fileURLToPath(import.meta.url)]) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex').slice(0, 20);
}
