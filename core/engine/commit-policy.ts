// Which sinks hold a stream (DELIVERY.md, section 3).

import type { SinkConfig, StreamConfig } from '../manifest/model.ts';

export type CommitPolicy = StreamConfig['commit_policy'];

/** True when a batch cannot settle without this sink. The home is always needed; under a quorum nobody else is by name. */
export function isNeeded(policy: CommitPolicy, sink: SinkConfig, isHome: boolean): boolean {
  if (isHome) return true;
  if (policy === 'all') return true;
  if (policy === 'required') return sink.required;
  return false;
}
