// What happens to an event that failed (DESIGN.md, section 7). Pure: the callers do it.

import type { ErrorHandling } from '../manifest/model.ts';

export type Decision =
  | { readonly do: 'retry'; readonly delay: number }
  | { readonly do: 'skip' | 'dead_letter' | 'fail_stream' };

/** `failures`: how often this event has failed at this place, from 1. */
export function decide(policy: ErrorHandling, failures: number): Decision {
  if (policy.on_error !== 'retry') return { do: policy.on_error };
  if (failures <= policy.max_retries) return { do: 'retry', delay: policy.retry_delay };
  return { do: policy.then };
}
