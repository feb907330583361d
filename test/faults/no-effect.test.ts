// Settings that would do nothing are said, each at its key: no setting is accepted in silence that is not enforced.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sluice } from '../cli.ts';

test('an authentication that the plugin does not take, and settings beside others that void them', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-no-effect-'));
  try {
    writeFileSync(join(dir, 'in.ndjson'), '');
    const manifest = {
      version: 1,
      authentication: [{ id: 'me', type: 'username_password', config: { username: 'me', password: 'secret-word' } }],
      streams: [
        {
          id: 's',
          source: { type: 'file', path: './in.ndjson', format: 'event', key: ['id'], poll: '1s', auth_id: 'me' },
          sinks: [
            { id: 'web', type: 'http', url: 'http://127.0.0.1:9/', max_events: 7, auth_id: 'me' },
            { id: 'out', type: 'file', path: './out.ndjson', rotate: {} },
          ],
        },
      ],
    };
    writeFileSync(join(dir, 'sluice.json'), JSON.stringify(manifest, null, 2));
    const result = await sluice(['validate', 'sluice.json', '--json'], { cwd: dir });
    const { findings } = JSON.parse(result.stdout) as {
      findings: { code: string; severity: string; at: { pointer: string } }[];
    };
    expect(findings.map(({ code, severity, at }) => [severity, code, at.pointer])).toEqual([
      ['warning', 'E_MANIFEST_NO_EFFECT', '/streams/0/source/key'],
      ['warning', 'E_MANIFEST_NO_EFFECT', '/streams/0/source/poll'],
      ['error', 'E_CONFIG_INVALID', '/streams/0/source/auth_id'],
      ['warning', 'E_MANIFEST_NO_EFFECT', '/streams/0/sinks/0/max_events'],
      ['warning', 'E_MANIFEST_NO_EFFECT', '/streams/0/sinks/1/rotate'],
    ]);
    expect(result.code).toBe(2);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
