// When waiting for something that is not there ends.

import { codesOf, type SluiceError } from '../errors.ts';
import type { RetryPolicy } from '../manifest/model.ts';

/** Trying again cannot help: the error says so itself, or its code is one of permanent_error_codes. */
export function isPermanent(error: SluiceError, policy: RetryPolicy): boolean {
  return error.permanent || codesOf(error).some((code) => policy.permanent_error_codes.includes(code));
}

/** `absences`: how often in a row it was not there, from 1. */
export function usedUp(absences: number, policy: RetryPolicy): boolean {
  return policy.max_attempts !== undefined && absences >= policy.max_attempts;
}
