// What `check` and `status` say of the sandbox: the canaries, and the measures between its processes and the system.

import { type Proof, proveSandbox, readProof } from '../../transforms/index.ts';
import { toSluiceError } from '../errors.ts';
import type { CheckResult } from '../plugin.ts';

/** Proves the sandbox anew. A canary that fails is a failure; a measure that the system does not offer is said, and is none. */
export async function sandboxRows(file: string | undefined): Promise<readonly CheckResult[]> {
  try {
    const { canaries, measures } = await proveSandbox(file);
    return [
      ...canaries.map(
        ({ name, holds, seen }): CheckResult => ({
          ok: holds,
          name,
          message: holds ? 'costs its own event only' : seen,
          ...(holds ? {} : { fix: `use a release of Node that this one supports; this is ${process.version}` }),
        }),
      ),
      ...measures.map(({ name, in_force, message }) => ({
        ok: true,
        name,
        message: in_force ? message : `missing: ${message}`,
      })),
    ];
  } catch (thrown) {
    return [{ ok: false, name: 'start', message: `the sandbox does not start: ${toSluiceError(thrown).message}` }];
  }
}

export interface SandboxStatus {
  readonly proved_at: string;
  readonly missing: readonly { readonly name: string; readonly message: string }[];
}

/** As the last run or check with this version of Node found it; null where none was. */
export function sandboxStatus(file: string | undefined): SandboxStatus | null {
  const proof: Proof | null = file === undefined ? null : readProof(file);
  if (proof === null) return null;
  const broken = proof.canaries.filter((canary) => !canary.holds);
  const absent = proof.measures.filter((measure) => !measure.in_force);
  return {
    proved_at: proof.made_at,
    missing: [
      ...broken.map(({ name, seen }) => ({ name, message: seen })),
      ...absent.map(({ name, message }) => ({ name, message })),
    ],
  };
}
