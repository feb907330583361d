// The postgres plugin passes the conformance kit on the second version too (on 18 it does in test/conformance.test.ts).

import { describe, test } from 'vitest';
import { conformance } from '../../core/testkit.ts';
import postgres from '../../plugins/postgres/index.ts';
import { stagesOn } from '../conformance/postgres.ts';
import { postgresVersions } from '../services/postgres.ts';

const folder = new URL('../../plugins/postgres/', import.meta.url);

for (const version of postgresVersions().filter((one) => one !== 18)) {
  describe(`PostgreSQL ${version}`, () => conformance({ describe, test }, postgres, { folder, ...stagesOn(version) }));
}
