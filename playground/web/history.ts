// What the browser keeps: the draft of each transformation that is not in its file yet, and the last fifty that ran without
// a failure to load. In localStorage, so a reload or a crash loses nothing. Nothing of the events is kept.
// Private windows and full disks refuse: then nothing is kept, and the page works on.

import { isLanguageName, type LanguageName } from './language-names.ts';
import type { KeptStep } from './steps.ts';

export interface HistoryEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly step: string;
  readonly language: LanguageName;
  readonly source: string;
}

export interface Shelf {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export const MAX_HISTORY = 50;

/**
 * `place`: the manifest, so that two projects do not share drafts. Drafts lie in both: a tab finds its own again after a reload
 * (`tab`: sessionStorage), whatever other tabs wrote since, and a new tab or a new start finds the newest (`all`: localStorage).
 */
export function openShelf(all: Shelf, tab: Shelf, place: string) {
  const draftsKey = (stream: string): string => `sluice.drafts.${place}.${stream}`;
  const historyKey = `sluice.history.${place}`;
  return {
    /** By the id of the step. */
    drafts(stream: string): Readonly<Record<string, KeptStep>> {
      const value = read(tab, draftsKey(stream)) ?? read(all, draftsKey(stream));
      if (typeof value !== 'object' || value === null) return {};
      return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, KeptStep] => isKept(entry[1])));
    },
    keepDrafts(stream: string, drafts: Readonly<Record<string, KeptStep>>): void {
      // none is something, too: this tab's answer to drafts of others
      write(tab, draftsKey(stream), drafts);
      write(all, draftsKey(stream), Object.keys(drafts).length === 0 ? null : drafts);
    },
    history(): readonly HistoryEntry[] {
      const value = read(all, historyKey);
      return Array.isArray(value) ? value.filter(isEntry) : [];
    },
    keepHistory(entries: readonly HistoryEntry[]): void {
      write(all, historyKey, entries);
    },
  };
}

/** The newest first; the same text twice in a row is one entry. */
export function withEntry(entries: readonly HistoryEntry[], entry: HistoryEntry): readonly HistoryEntry[] {
  const last = entries[0];
  if (last?.step === entry.step && last.language === entry.language && last.source === entry.source) return entries;
  return [entry, ...entries].slice(0, MAX_HISTORY);
}

/** The first line that says something: not empty, no comment, no brackets only. */
export function firstLine(source: string): string {
  const lines = source.split('\n').map((line) => line.trim());
  return lines.find((line) => /[\p{L}\p{N}]/u.test(line) && !/^(?:\/\/|\/\*|\*|#)/.test(line)) ?? lines[0] ?? '';
}

function isKept(value: unknown): value is KeptStep {
  if (typeof value !== 'object' || value === null) return false;
  const one = value as Partial<KeptStep>;
  const scope = one.scope === 'row' || one.scope === 'event';
  return typeof one.source === 'string' && typeof one.base === 'string' && scope && isLanguageName(one.language ?? '');
}

function isEntry(value: unknown): value is HistoryEntry {
  if (typeof value !== 'object' || value === null) return false;
  const one = value as Partial<HistoryEntry>;
  return (
    typeof one.at === 'number' &&
    typeof one.step === 'string' &&
    typeof one.source === 'string' &&
    isLanguageName(one.language ?? '')
  );
}

function read(shelf: Shelf, key: string): unknown {
  try {
    return JSON.parse(shelf.getItem(key) ?? 'null');
  } catch {
    return null;
  }
}

function write(shelf: Shelf, key: string, value: unknown): void {
  try {
    if (value === null) shelf.removeItem(key);
    else shelf.setItem(key, JSON.stringify(value));
  } catch {
    // no room, or not allowed: what is on the screen is not touched by it
  }
}
