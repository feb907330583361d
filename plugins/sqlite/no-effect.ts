// Settings of the source that do nothing beside the others: whoever wrote them believes that they do.

import type { NoEffect } from 'sluice/sdk';

/** `given`: the configuration as it was written, so that a default is no finding. */
export function sourceNoEffect(given: Readonly<Record<string, unknown>>): readonly NoEffect[] {
  const found: NoEffect[] = [];
  for (const key of ['poll', 'heartbeat']) {
    if (given['follow'] !== false || given[key] === undefined) continue;
    found.push({
      key,
      message: `\`${key}\` has no effect with \`follow: false\`: the source ends after what is there`,
      fix: 'leave it out',
    });
  }
  const lost = columnNames(given['columns']).find((name) => !isRead(name, given['tables']));
  if (lost !== undefined) {
    found.push({
      key: 'columns',
      message: `\`columns\` names \`${lost}\`, which is no column of a table that this source reads`,
      fix: 'write `<table>.<column>`, with one of the `tables`',
    });
  }
  return found;
}

function columnNames(columns: unknown): string[] {
  return typeof columns === 'object' && columns !== null ? Object.keys(columns) : [];
}

// A dot may be part of either name, so the table is compared from the front.
function isRead(name: string, tables: unknown): boolean {
  const dot = name.indexOf('.');
  if (dot <= 0 || dot === name.length - 1) return false;
  if (!Array.isArray(tables)) return true; // all of them, also those made later
  return tables.some((table) => name.toLowerCase().startsWith(`${String(table).toLowerCase()}.`));
}
