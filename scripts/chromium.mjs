// Finds the browser that the browser tests need, or installs Debian's as root. Nothing is downloaded from anywhere else.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** The path of a Chromium: SLUICE_CHROMIUM, or the first one in PATH; null: there is none. */
export function findChromium() {
  const named = process.env.SLUICE_CHROMIUM;
  if (named !== undefined && named !== '') return named;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of NAMES) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // not here
      }
    }
  }
  return null;
}

/** Whether this is a machine where `installChromium` can work: Debian or its like, as root. */
export function canInstallChromium() {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && existsSync('/usr/bin/apt-get');
}

/** Installs Debian's package, with fonts that have the glyphs of the page. Gives the path, or null with what was said on stderr. */
export function installChromium() {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const steps = [
    ['update'],
    ['install', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core', 'fonts-noto-color-emoji'],
  ];
  for (const args of steps) {
    const done = spawnSync('apt-get', args, { env, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
    if (done.status === 0) continue;
    console.error(`apt-get ${args.join(' ')}: ${done.error?.message ?? `${done.stdout}${done.stderr}`.trimEnd()}`);
    return null;
  }
  return findChromium();
}
