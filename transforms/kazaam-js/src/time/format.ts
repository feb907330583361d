// Prints a time by a Go layout.

import { dateOf, daysOf, type Instant, instant, weekday } from './instant.ts';
import { layoutOf, type Token } from './layout.ts';
import { DAYS, MONTHS } from './names.ts';
import type { Zone } from './zone.ts';

export interface ZonedTime {
  readonly time: Instant;
  readonly zone: Zone;
}

const pad = (value: number, width: number): string =>
  value < 0 ? `-${String(-value).padStart(width, '0')}` : String(value).padStart(width, '0');

export function formatTime({ time, zone }: ZonedTime, layout: string): string {
  const offset = zone.at(time);
  const local = instant(time.days, time.second + offset.seconds, time.nanos);
  const { year, month, day } = dateOf(local.days);
  const hour = Math.floor(local.second / 3600);
  const minute = Math.floor(local.second / 60) % 60;
  const second = local.second % 60;
  const ofYear = local.days - daysOf({ year, month: 1, day: 1 }) + 1;

  const show = ({ kind, text }: Token): string => {
    switch (kind) {
      case 'January':
        return MONTHS[month - 1]!;
      case 'Jan':
        return MONTHS[month - 1]!.slice(0, 3);
      case 'Monday':
        return DAYS[weekday(local.days)]!;
      case 'Mon':
        return DAYS[weekday(local.days)]!.slice(0, 3);
      case 'MST':
        return offset.name === '' ? offsetText(offset.seconds, '-0700') : offset.name;
      case '01':
        return pad(month, 2);
      case '02':
        return pad(day, 2);
      case '03':
        return pad(hour % 12 || 12, 2);
      case '04':
        return pad(minute, 2);
      case '05':
        return pad(second, 2);
      case '06':
        return pad(Math.abs(year) % 100, 2);
      case '002':
        return pad(ofYear, 3);
      case '__2':
        return String(ofYear).padStart(3);
      case '1':
        return String(month);
      case '15':
        return pad(hour, 2);
      case '2006':
        return pad(year, 4);
      case '2':
        return String(day);
      case '_2':
        return String(day).padStart(2);
      case '3':
        return String(hour % 12 || 12);
      case '4':
        return String(minute);
      case '5':
        return String(second);
      case 'PM':
        return hour >= 12 ? 'PM' : 'AM';
      case 'pm':
        return hour >= 12 ? 'pm' : 'am';
      case 'offset':
        return offsetText(offset.seconds, text);
      case 'fraction0':
        return text[0] + digitsOf(local.nanos, text.length - 1);
      case 'fraction9': {
        const digits = digitsOf(local.nanos, text.length - 1).replace(/0+$/, '');
        return digits === '' ? '' : text[0] + digits;
      }
      case 'end':
        return '';
    }
  };
  return layoutOf(layout)
    .map((token) => token.literal + show(token))
    .join('');
}

/** More digits than nine are not known: Go prints nine. */
const digitsOf = (nanos: number, count: number): string => pad(nanos, 9).slice(0, count);

function offsetText(seconds: number, token: string): string {
  if (seconds === 0 && token.startsWith('Z')) return 'Z';
  const minutes = Math.trunc(seconds / 60);
  const colon = token.includes(':') ? ':' : '';
  let out = `${minutes < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(minutes) / 60), 2)}`;
  if (token.length > 3) out += colon + pad(Math.abs(minutes) % 60, 2);
  if (token.length > 6) out += colon + pad(Math.abs(seconds) % 60, 2);
  return out;
}
