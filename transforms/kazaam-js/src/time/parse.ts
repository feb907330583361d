// Reads a time by a Go layout, with Go's rules and messages: literals must match, the weekday is read and not checked, a fraction of
// a second is taken where the layout has none, and days are checked against their month at the end.

import { plainError } from '../errors.ts';
import { utf8 } from '../utf8.ts';
import type { ZonedTime } from './format.ts';
import { DAYS_BEFORE, daysIn, daysOf, instant, isLeap } from './instant.ts';
import { layoutOf, type Token } from './layout.ts';
import { DAYS, MONTHS } from './names.ts';
import { fixedZone, UTC, type Zone } from './zone.ts';

/** @throws KazaamError ParseError with the message of Go's time.ParseError */
export function parseTime(layout: string, value: string, local: Zone): ZonedTime {
  return new Reading(layout, value, local).run();
}

/** What a token could not take. `range` names what was out of range. */
class Refused {
  readonly range: string;
  constructor(range = '') {
    this.range = range;
  }
}

class Reading {
  readonly #layout: string;
  readonly #value: string;
  readonly #local: Zone;
  /** What is left of the value. */
  #rest: string;
  #year = 0;
  #month = -1;
  #day = -1;
  #ofYear = -1;
  #hour = 0;
  #minute = 0;
  #second = 0;
  #nanos = 0;
  #half: 'AM' | 'PM' | null = null;
  #utc = false;
  #offset: number | null = null;
  #zone = '';

  constructor(layout: string, value: string, local: Zone) {
    this.#layout = layout;
    this.#value = value;
    this.#rest = value;
    this.#local = local;
  }

  run(): ZonedTime {
    const tokens = layoutOf(this.#layout);
    for (const [i, token] of tokens.entries()) {
      if (!this.#skip(token.literal)) throw this.#cannot(token.literal);
      if (token.kind === 'end') break;
      try {
        this.#take(token, tokens[i + 1]!);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        throw error.range === '' ? this.#cannot(token.text) : this.#outOfRange(error.range);
      }
    }
    if (this.#rest !== '') throw this.#wrong(`: extra text: ${quote(this.#rest)}`);
    return this.#zoned();
  }

  /** Spaces in the layout stand for any number of spaces, but for one at least where something follows. */
  #skip(literal: string): boolean {
    let left = literal;
    while (left !== '') {
      if (left[0] === ' ') {
        if (this.#rest !== '' && this.#rest[0] !== ' ') return false;
        left = left.replace(/^ +/, '');
        this.#rest = this.#rest.replace(/^ +/, '');
      } else if (this.#rest === '' || this.#rest[0] !== left[0]) {
        return false;
      } else {
        left = left.slice(1);
        this.#rest = this.#rest.slice(1);
      }
    }
    return true;
  }

  #take({ kind, text }: Token, next: Token): void {
    switch (kind) {
      case '06': {
        const year = this.#digits(2);
        this.#year = year + (year >= 69 ? 1900 : 2000);
        return;
      }
      case '2006':
        if (!isDigit(this.#rest[0])) throw new Refused();
        this.#year = this.#digits(4);
        return;
      case 'Jan':
        this.#month = this.#name(MONTHS, 3) + 1;
        return;
      case 'January':
        this.#month = this.#name(MONTHS) + 1;
        return;
      case 'Mon':
        this.#name(DAYS, 3);
        return;
      case 'Monday':
        this.#name(DAYS);
        return;
      case '1':
      case '01':
        this.#month = this.#number(kind === '01');
        if (this.#month < 1 || this.#month > 12) throw new Refused('month');
        return;
      case '2':
      case '_2':
      case '02':
        if (kind === '_2') this.#space();
        this.#day = this.#number(kind === '02');
        return;
      case '__2':
      case '002':
        if (kind === '__2') this.#space();
        if (kind === '__2') this.#space();
        this.#ofYear = this.#dayOfYear(kind === '002');
        return;
      case '15':
        this.#hour = this.#number(false);
        if (this.#hour >= 24) throw new Refused('hour');
        return;
      case '3':
      case '03':
        this.#hour = this.#number(kind === '03');
        if (this.#hour > 12) throw new Refused('hour');
        return;
      case '4':
      case '04':
        this.#minute = this.#number(kind === '04');
        if (this.#minute >= 60) throw new Refused('minute');
        return;
      case '5':
      case '05':
        this.#second = this.#number(kind === '05');
        if (this.#second >= 60) throw new Refused('second');
        if (!next.kind.startsWith('fraction')) this.#anyFraction();
        return;
      case 'PM':
      case 'pm': {
        const half = this.#cut(2);
        if (half !== kind && half !== (kind === 'PM' ? 'AM' : 'am')) throw new Refused();
        this.#half = half.toUpperCase() as 'AM' | 'PM';
        return;
      }
      case 'offset':
        this.#takeOffset(text);
        return;
      case 'MST':
        if (this.#rest.startsWith('UTC')) {
          this.#utc = true;
          this.#cut(3);
        } else this.#zone = this.#cut(zoneLength(this.#rest) || Number.POSITIVE_INFINITY);
        return;
      case 'fraction0':
        this.#fraction(text.length);
        return;
      case 'fraction9':
        this.#anyFraction();
        return;
      case 'end':
        return;
    }
  }

  /** The next characters. Like Go, it has taken them even if what they say is refused. */
  #cut(count: number): string {
    if (this.#rest.length < count) throw new Refused();
    const out = this.#rest.slice(0, count);
    this.#rest = this.#rest.slice(count);
    return out;
  }

  #digits(count: number): number {
    const text = this.#cut(count);
    if (!/^[+-]?[0-9]+$/.test(text)) throw new Refused();
    return Number(text);
  }

  #space(): void {
    if (this.#rest[0] === ' ') this.#rest = this.#rest.slice(1);
  }

  #number(two: boolean): number {
    const digits = /^[0-9]{1,2}/.exec(this.#rest)?.[0] ?? '';
    if (digits === '' || (two && digits.length < 2)) throw new Refused();
    return Number(this.#cut(digits.length));
  }

  #dayOfYear(three: boolean): number {
    const digits = /^[0-9]{1,3}/.exec(this.#rest)?.[0] ?? '';
    if (digits === '' || (three && digits.length < 3)) throw new Refused();
    return Number(this.#cut(digits.length));
  }

  #name(names: readonly string[], length?: number): number {
    const index = names.findIndex((name) => {
      const asked = name.slice(0, length);
      return this.#rest.slice(0, asked.length).toLowerCase() === asked.toLowerCase();
    });
    if (index < 0) throw new Refused();
    this.#cut(names[index]!.slice(0, length).length);
    return index;
  }

  #anyFraction(): void {
    const match = /^[.,][0-9]+/.exec(this.#rest);
    if (match !== null) this.#fraction(match[0].length);
  }

  #fraction(length: number): void {
    const text = this.#cut(length);
    const digits = text.slice(1, 10);
    if (!/^[.,][+-]?[0-9]+$/.test(text.slice(0, 10))) throw new Refused();
    this.#nanos = Number(digits) * 10 ** (9 - digits.length);
    if (this.#nanos < 0) throw new Refused('fractional second');
  }

  #takeOffset(token: string): void {
    if (token[0] === 'Z' && this.#rest[0] === 'Z') {
      this.#utc = true;
      this.#cut(1);
      return;
    }
    // the places of the colons must agree before anything is taken
    if (this.#rest.length < token.length) throw new Refused();
    for (let i = 1; i < token.length; i++) {
      if ((token[i] === ':') !== (this.#rest[i] === ':')) throw new Refused();
    }
    const text = this.#cut(token.length);
    const digits = text.slice(1).replaceAll(':', '');
    if (!/^[0-9]+$/.test(digits) || !'+-'.includes(text[0]!)) throw new Refused();
    const part = (at: number): number => Number(digits.slice(at, at + 2));
    const seconds = part(0) * 3600 + part(2) * 60 + part(4);
    this.#offset = text[0] === '-' ? -seconds : seconds;
  }

  #zoned(): ZonedTime {
    if (this.#half === 'PM' && this.#hour < 12) this.#hour += 12;
    else if (this.#half === 'AM' && this.#hour === 12) this.#hour = 0;
    if (this.#ofYear >= 0) this.#fromDayOfYear();
    const month = this.#month < 0 ? 1 : this.#month;
    const day = this.#day < 0 ? 1 : this.#day;
    if (day < 1 || day > daysIn(month, this.#year)) throw this.#outOfRange('day');
    const days = daysOf({ year: this.#year, month, day });
    const second = this.#hour * 3600 + this.#minute * 60 + this.#second;
    const at = (offset: number) => instant(days, second - offset, this.#nanos);
    if (this.#utc) return { time: at(0), zone: UTC };
    if (this.#offset !== null) {
      const time = at(this.#offset);
      const local = this.#local.at(time);
      const isLocal = local.seconds === this.#offset && (this.#zone === '' || this.#zone === local.name);
      return { time, zone: isLocal ? this.#local : fixedZone(this.#offset, this.#zone) };
    }
    if (this.#zone !== '') {
      const offset = this.#local.named(this.#zone, at(0));
      if (offset !== null) return { time: at(offset), zone: this.#local };
      // the clock keeps what was written; only the zone it is printed in moves
      const hours = this.#zone.startsWith('GMT') ? Number(this.#zone.slice(3)) : 0;
      return { time: at(0), zone: fixedZone(hours * 3600, this.#zone) };
    }
    return { time: at(0), zone: UTC };
  }

  #fromDayOfYear(): void {
    let ofYear = this.#ofYear;
    let month = 0;
    let day = 0;
    if (isLeap(this.#year)) {
      if (ofYear === 60) {
        month = 2;
        day = 29;
      } else if (ofYear > 60) ofYear--;
    }
    if (ofYear < 1 || ofYear > 365) throw this.#outOfRange('day-of-year');
    if (month === 0) {
      month = DAYS_BEFORE.findIndex((before) => before >= ofYear);
      day = ofYear - DAYS_BEFORE[month - 1]!;
    }
    if (this.#month >= 0 && this.#month !== month) throw this.#wrong(': day-of-year does not match month');
    if (this.#day >= 0 && this.#day !== day) throw this.#wrong(': day-of-year does not match day');
    this.#month = month;
    this.#day = day;
  }

  #cannot(token: string): Error {
    const [value, layout, rest] = [this.#value, this.#layout, this.#rest].map(quote);
    return plainError(`parsing time ${value} as ${layout}: cannot parse ${rest} as ${quote(token)}`);
  }

  #outOfRange(what: string): Error {
    return this.#wrong(`: ${what} out of range`);
  }

  #wrong(what: string): Error {
    return plainError(`parsing time ${quote(this.#value)}${what}`);
  }
}

const isDigit = (c: string | undefined): boolean => c !== undefined && c >= '0' && c <= '9';

/** How many characters look like an abbreviation of a zone; 0 for none. */
function zoneLength(value: string): number {
  if (/^(ChST|MeST)/.test(value)) return 4;
  if (value.startsWith('GMT')) return 3 + signedLength(value.slice(3));
  if (/^[+-]/.test(value)) return value.length < 3 ? 0 : signedLength(value);
  const capitals = /^[A-Z]{3,6}/.exec(value)?.[0] ?? '';
  if (capitals.length === 3) return 3;
  if (capitals.length === 4 && (capitals.endsWith('T') || capitals === 'WITA')) return 4;
  return capitals.length === 5 && capitals.endsWith('T') ? 5 : 0;
}

/** `+3`, `-11`: up to 23. */
function signedLength(value: string): number {
  const match = /^[+-]([0-9]+)/.exec(value);
  return match !== null && Number(match[1]) <= 23 ? match[0].length : 0;
}

/** As Go quotes in these messages: everything that is not ASCII by its bytes. */
function quote(text: string): string {
  let out = '';
  for (const c of text) {
    if (c === '"' || c === '\\') out += `\\${c}`;
    else if (c >= ' ' && c < '\u0080') out += c;
    else for (const byte of utf8(c)) out += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return `"${out}"`;
}
