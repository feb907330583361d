// Loaded into a process with --import: measures how late its timers come and how much memory it takes. On SIGUSR2 it appends
// one line of JSON to the file that SLUICE_PROBE names, and begins anew. Takes no part in what the process does.

import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const EVERY = 5; // ms

if (isMainThread && process.env.SLUICE_PROBE !== undefined) {
  let last = performance.now();
  let lag = 0;
  let peak = 0;
  setInterval(() => {
    const now = performance.now();
    lag = Math.max(lag, now - last - EVERY);
    last = now;
    peak = Math.max(peak, process.memoryUsage.rss());
  }, EVERY).unref();
  process.on('SIGUSR2', () => {
    const rss = process.memoryUsage.rss();
    appendFileSync(process.env.SLUICE_PROBE, `${JSON.stringify({ lag, rss, peak: Math.max(peak, rss) })}\n`);
    lag = 0;
    peak = 0;
  });
  appendFileSync(process.env.SLUICE_PROBE, '');
}
