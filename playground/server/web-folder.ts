// Where the page's bundle is: beside the server in the package; in a checkout it is made when it is asked for.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sluiceError } from 'sluice/sdk';

/** @throws SluiceError E_INTERNAL */
export async function webFolder(): Promise<string> {
  const built = fileURLToPath(new URL('../web/', import.meta.url));
  if (existsSync(`${built}app.js`)) return built;
  try {
    const script = new URL('../../scripts/build-web.mjs', import.meta.url).href;
    const { webFolder: made } = (await import(script)) as { webFolder(): Promise<string> };
    return await made();
  } catch (cause) {
    throw sluiceError('E_INTERNAL', { message: 'the page of the playground cannot be built', cause });
  }
}
