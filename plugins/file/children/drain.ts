// A process of its own for the test of bounded memory: reads a file to its end, keeps nothing, and prints what it took.
// Arguments: the file, and max_line.

import './sdk.ts';

const { context, sourceOf } = await import('../fixture.ts');
const [path, maxLine] = process.argv.slice(2) as [string, string];
await using source = sourceOf({ path, max_line: Number(maxLine) }, context());
let events = 0;
for await (const { batch } of source.read(null, new AbortController().signal)) events += batch.length;
process.stdout.write(JSON.stringify({ events, peak: process.resourceUsage().maxRSS * 1024 }));
