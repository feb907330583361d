// Time zones. Go reads and prints with the zone of its host; here that is an option, and UTC unless it is set, so that the same
// document gives the same text everywhere.

import { DAY, dateOf, daysOf, type Instant } from './instant.ts';

export interface Offset {
  /** Seconds east of UTC. */
  readonly seconds: number;
  /** Its abbreviation; empty if it has none. */
  readonly name: string;
}

export interface Zone {
  at(time: Instant): Offset;
  /** The offset that an abbreviation of this zone stands for around that time; null if it has no such name. */
  named(name: string, time: Instant): number | null;
}

export function fixedZone(seconds: number, name: string): Zone {
  const offset = { seconds, name };
  return { at: () => offset, named: (asked) => (asked === name ? seconds : null) };
}

export const UTC: Zone = fixedZone(0, 'UTC');

// A zone's abbreviation is known only to the English of where it is used: IST to Indian English, AEST to Australian.
const LOCALES = ['en-US', 'en-IN', 'en-AU', 'en-GB', 'en-CA', 'en-NZ', 'en-ZA', 'ja-JP'];

/** A zone of the IANA database by its name, as far as the runtime's Intl knows it. @throws RangeError for an unknown name */
export function intlZone(timeZone: string): Zone {
  if (timeZone === 'UTC') return UTC;
  const parts = (locale: string, timeZoneName: 'short' | 'longOffset') =>
    new Intl.DateTimeFormat(locale, { timeZone, timeZoneName });
  const offsets = parts('en-US', 'longOffset');
  const names = LOCALES.map((locale) => parts(locale, 'short'));
  const shown = (format: Intl.DateTimeFormat, time: Instant): string => {
    const date = new Date(dateMillis(time));
    return format.formatToParts(date).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  };
  const zone: Zone = {
    at(time) {
      const seconds = secondsOf(shown(offsets, time));
      const name = names.map((format) => shown(format, time)).find((one) => /^[A-Z]{3,5}$/.test(one));
      return { seconds, name: name ?? numeric(seconds) };
    },
    named(name, time) {
      const { year } = dateOf(time.days);
      const now = zone.at(time);
      // as Go: what was in effect then, else what the zone calls so at other times of the year
      for (const one of [now, ...[1, 7].map((month) => zone.at(midday(year, month)))]) {
        if (one.name === name) return one.seconds;
      }
      return null;
    },
  };
  return zone;
}

const midday = (year: number, month: number): Instant => ({
  days: daysOf({ year, month, day: 1 }),
  second: DAY / 2,
  nanos: 0,
});

/** Within what a Date can hold. */
const dateMillis = ({ days, second }: Instant): number =>
  Math.max(-8.64e15, Math.min(8.64e15, (days * DAY + second) * 1000));

/** From `GMT-03:30` and the like. */
function secondsOf(text: string): number {
  const match = /([+-])(\d{2}):(\d{2})(?::(\d{2}))?/.exec(text);
  if (match === null) return 0;
  const [, sign, hours, minutes, seconds = '0'] = match;
  const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return sign === '-' ? -total : total;
}

/** As Go's time zone data names zones that have no abbreviation: `+03`, `-0330`. */
function numeric(seconds: number): string {
  const minutes = Math.floor(Math.abs(seconds) / 60);
  const hours = String(Math.floor(minutes / 60)).padStart(2, '0');
  const rest = minutes % 60 === 0 ? '' : String(minutes % 60).padStart(2, '0');
  return `${seconds < 0 ? '-' : '+'}${hours}${rest}`;
}
