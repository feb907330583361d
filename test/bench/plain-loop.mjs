// The baseline of all benchmarks (P1): one Node thread, line by line: JSON.parse, the same user function, JSON.stringify,
// file to file. No checkpoint, no fsync, no error handling, no sandbox: what somebody would write for one time.

import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [from, to, transform] = process.argv.slice(2);
const { default: map } = await import(pathToFileURL(transform).href);
const out = createWriteStream(to, { highWaterMark: 1 << 20 });
let rest = '';
for await (const chunk of createReadStream(from, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  let text = '';
  for (const line of lines) text += `${JSON.stringify(map(JSON.parse(line)))}\n`;
  if (!out.write(text)) await once(out, 'drain');
}
out.end();
await once(out, 'close');
