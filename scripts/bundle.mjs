// Joins the modules of dist/ into a few files, in place: reading 200 of them was a third of a start. What a process starts by its
// file name, and what others import, stays where it was; everything else goes to dist/chunks/, shared by all of these, so that
// there is still one of each module. `import.meta.url` says what it said before, so that what is found beside a module is found.

import { readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const packages = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules');

/** Loaded at every start, with what they need: reading their many files takes some 30 ms. Everything else of others stays a package. */
const INLINED = withDependencies(['acorn', 'pino', 'yaml']);

/**
 * @param {string} dist
 * @param {{ readonly shared: readonly string[], readonly alone: readonly string[] }} entries
 *   relative to dist; those that are `alone` may read nothing outside of their own folder
 * @param {readonly string[]} kept folders of modules that are read as texts
 */
export async function bundle(dist, { shared, alone }, kept) {
  const made = `${dist}.joined`;
  rmSync(made, { recursive: true, force: true });
  await write(dist, shared, { dir: made, chunkFileNames: 'chunks/[name]-[hash].js' });
  for (const entry of alone) {
    // CommonJS: without Node's loader of ES modules, such a process starts 10 ms sooner
    await write(dist, [entry], { dir: made, codeSplitting: false, format: 'cjs', entryFileNames: '[name].cjs' });
  }
  for (const file of readdirSync(dist, { recursive: true })) {
    if (file.endsWith('.js') && !kept.some((folder) => file.startsWith(join(folder, sep)))) rmSync(join(dist, file));
  }
  const files = [...shared, ...alone.map((entry) => entry.replace(/\.js$/, '.cjs'))];
  for (const file of files) renameSync(join(made, file), join(dist, file));
  renameSync(join(made, 'chunks'), join(dist, 'chunks'));
  rmSync(made, { recursive: true });
  removeEmptyFolders(dist);
  const licences = INLINED.map((name) => {
    const { version, license, author } = metaOf(name);
    const file = readdirSync(join(packages, name)).find((one) => /^licen[cs]e/i.test(one));
    const text =
      file === undefined ? `${license}, ${author?.name ?? author}\n` : readFileSync(join(packages, name, file), 'utf8');
    return `${name} ${version}\n\n${text}`;
  });
  writeFileSync(join(dist, 'chunks', 'LICENSES.txt'), licences.join('\n'));
}

function withDependencies(names) {
  const all = new Set(names);
  for (const name of all) for (const needed of Object.keys(metaOf(name).dependencies ?? {})) all.add(needed);
  return [...all].sort();
}

function metaOf(name) {
  return JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'));
}

function removeEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmptyFolders(join(folder, entry.name));
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

async function write(dist, entries, output) {
  const build = await rolldown({
    input: Object.fromEntries(entries.map((entry) => [entry.replace(/\.js$/, ''), join(dist, entry)])),
    platform: 'node',
    treeshake: false,
    external: (id) => !id.startsWith('.') && !id.startsWith(sep) && !INLINED.includes(id) && id !== 'sluice/sdk',
    resolve: { alias: { 'sluice/sdk': join(dist, 'core', 'sdk.js') } },
    plugins: [ownUrls(dist)],
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  await build.write({ format: 'esm', entryFileNames: '[name].js', ...output });
  await build.close();
}

const MARK = '__SLUICE_URL_OF__';

function ownUrls(dist) {
  return {
    name: 'own-urls',
    transform(code, id) {
      if (!id.startsWith(dist) || !code.includes('import.meta.url')) return null;
      return code.replaceAll('import.meta.url', `${MARK}(${JSON.stringify(relative(dist, id).replaceAll(sep, '/'))})`);
    },
    renderChunk(code, chunk, { format }) {
      if (!code.includes(MARK)) return null;
      const own = format === 'cjs' ? "require('node:url').pathToFileURL(__filename).href" : 'import.meta.url';
      return code.replaceAll(new RegExp(`${MARK}\\("([^"]+)"\\)`, 'g'), (_, file) => {
        const from = relative(dirname(chunk.fileName), file).replaceAll(sep, '/');
        return file === chunk.fileName ? own : `new URL(${JSON.stringify(from)}, ${own}).href`;
      });
    },
  };
}
