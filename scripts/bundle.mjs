// Joins the modules of dist/ into a few files, in place: reading 200 of them was a third of a start. What a process starts by its
// file name, and what others import, stays where it was; everything else goes to dist/chunks/, shared by all of these, so that a
// process has one of each module. What starts alone, a thread or a child, is a file of its own. `import.meta.url` says what it said before, so that what is found beside a module is found.

import { readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { rolldown } from 'rolldown';
import { licencesOf } from './licences.mjs';

/** Loaded at nearly every start, and so joined too, with what they need: reading their files takes 30 ms. All others stay packages. */
const INLINED = ['acorn', 'pino', 'yaml'];

/**
 * @param {string} dist
 * @param {{ readonly shared: readonly string[], readonly alone: readonly string[] }} entries
 *   relative to dist; those that are `alone` are started by themselves, and become CommonJS (.cjs)
 * @param {readonly string[]} kept folders of modules that are read as texts
 */
export async function bundle(dist, { shared, alone }, kept) {
  const made = `${dist}.joined`;
  rmSync(made, { recursive: true, force: true });
  const modules = await write(dist, shared, { dir: made, chunkFileNames: 'chunks/[name]-[hash].js' });
  for (const entry of alone) {
    // without Node's loader of ES modules it starts 10 ms sooner; all else is as in a module
    const form = { format: 'cjs', strict: true, codeSplitting: false, entryFileNames: '[name].cjs' };
    modules.push(...(await write(dist, [entry], { dir: made, ...form })));
  }
  for (const file of readdirSync(dist, { recursive: true })) {
    if (file.endsWith('.js') && !kept.some((folder) => file.startsWith(join(folder, sep)))) rmSync(join(dist, file));
  }
  const files = [...shared, ...alone.map((entry) => entry.replace(/\.js$/, '.cjs'))];
  for (const file of files) renameSync(join(made, file), join(dist, file));
  renameSync(join(made, 'chunks'), join(dist, 'chunks'));
  rmSync(made, { recursive: true });
  removeEmptyFolders(dist);
  writeFileSync(join(dist, 'chunks', 'LICENSES.txt'), licencesOf(modules));
}

function removeEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmptyFolders(join(folder, entry.name));
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

/** The modules that were written. */
async function write(dist, entries, output) {
  const build = await rolldown({
    input: Object.fromEntries(entries.map((entry) => [entry.replace(/\.js$/, ''), join(dist, entry)])),
    platform: 'node',
    treeshake: false,
    external: (id, importer) =>
      !(id.startsWith('.') || id.startsWith(sep) || id === 'sluice/sdk') &&
      (isBuiltin(id) || !(INLINED.includes(id) || importer?.includes(`${sep}node_modules${sep}`))),
    resolve: { alias: { 'sluice/sdk': join(dist, 'core', 'sdk.js') } },
    plugins: [ownUrls(dist)],
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const written = await build.write({ format: 'esm', entryFileNames: '[name].js', ...output });
  await build.close();
  return written.output.flatMap((chunk) => chunk.moduleIds ?? []);
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
