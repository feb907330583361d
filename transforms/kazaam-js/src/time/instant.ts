// Points in time, with nanoseconds and any year: days since 1970 and the time of that day, which `Date` cannot hold.

/** An instant of UTC. */
export interface Instant {
  /** Since 1970-01-01, negative before. */
  readonly days: number;
  /** 0 to 86399. */
  readonly second: number;
  /** 0 to 999999999. */
  readonly nanos: number;
}

export interface CivilDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

export const DAY = 86_400;

/** `seconds` may be any whole number; what is beyond a day is carried. */
export function instant(days: number, seconds: number, nanos: number): Instant {
  const carry = Math.floor(seconds / DAY);
  return { days: days + carry, second: seconds - carry * DAY, nanos };
}

export const fromUnix = (seconds: bigint): Instant => {
  const day = BigInt(DAY);
  const second = ((seconds % day) + day) % day;
  return { days: Number((seconds - second) / day), second: Number(second), nanos: 0 };
};

export const fromUnixMillis = (millis: bigint): Instant => {
  const rest = ((millis % 1000n) + 1000n) % 1000n;
  return { ...fromUnix((millis - rest) / 1000n), nanos: Number(rest) * 1_000_000 };
};

/** Whole seconds since 1970, rounded down. */
export const unixSeconds = ({ days, second }: Instant): bigint => BigInt(days) * BigInt(DAY) + BigInt(second);

export const unixMillis = (time: Instant): bigint =>
  unixSeconds(time) * 1000n + BigInt(Math.floor(time.nanos / 1_000_000));

/** Days since 1970 of a date of the Gregorian calendar, which reaches back before its time. */
export function daysOf({ year, month, day }: CivilDate): number {
  // years begin in March, so that a leap day is the last one
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

export function dateOf(days: number): CivilDate {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** 0 is Sunday. */
export const weekday = (days: number): number => (((days + 4) % 7) + 7) % 7;

export const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/** Days before each month of a year that is no leap year; the 13th is the next year. */
export const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

export function daysIn(month: number, year: number): number {
  return month === 2 && isLeap(year) ? 29 : DAYS_BEFORE[month]! - DAYS_BEFORE[month - 1]!;
}
