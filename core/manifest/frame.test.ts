// Findings as people and programs see them: the frame, ASCII, colours, control characters, JSON.

import { describe, expect, it } from 'vitest';
import { findingOf } from './finding.ts';
import { findingsJson, renderFinding, renderFindings } from './frame.ts';

const finding = findingOf('E_CONFIG_INVALID', {
  message: '`tables` must have at least one entry',
  fix: 'add one → "public.orders"',
  at: { file: 'orders.yaml', line: 2, column: 11, pointer: '/source/tables' },
});
const sources = new Map([['orders.yaml', 'source:\n  tables: [] # none\nsinks:\n']]);

describe('a frame', () => {
  it('shows code, place, message, fix and the lines with a caret', () => {
    expect(renderFinding(finding, { sources })).toBe(`✗ E_CONFIG_INVALID  orders.yaml:2:11  /source/tables
    \`tables\` must have at least one entry
    → add one → "public.orders"

    1 │ source:
    2 │   tables: [] # none
      │           ^^`);
  });

  it('is ASCII where there is no unicode, and the caret still stands under its column', () => {
    const odd = new Map([['orders.yaml', 'source:\n  é: "ü", [] # none']]);
    const text = renderFinding({ ...finding, at: { ...finding.at, column: 3 } }, { sources: odd, unicode: false });
    expect(text).toMatch(/^\p{ASCII}*$/u);
    expect(text).toContain('x E_CONFIG_INVALID');
    expect(text).toContain('-> add one -> ');
  });

  it('has colours only when they are wanted', () => {
    expect(renderFinding(finding, { sources })).not.toContain('\u001b');
    expect(renderFinding(finding, { sources, colour: true })).toContain('\u001b[31m');
  });

  it('obeys no control character of the file or of a message', () => {
    const evil = new Map([['orders.yaml', 'a: 1\n  tables: \u001b[2J\u001b]0;x\u0007\u202eevil']]);
    for (const colour of [true, false]) {
      const text = renderFinding({ ...finding, message: 'a\u001b[31mb\rc' }, { sources: evil, colour });
      const ours = ['1', '2', '22', '31', '33', '39'].reduce(
        (rest, code) => rest.replaceAll(`\u001b[${code}m`, ''),
        text,
      );
      for (const control of ['\u001b', '\u0007', '\r', '\u202e']) expect(ours).not.toContain(control);
      expect(text).not.toContain('\u001b[2J');
    }
  });

  it('shows a long line around its column, keeps tabs under tabs, and does without the source', () => {
    const long = new Map([['orders.yaml', `x\n${'a'.repeat(500)}HERE${'b'.repeat(500)}`]]);
    const lines = renderFinding({ ...finding, at: { ...finding.at, column: 501 } }, { sources: long }).split('\n');
    const [shown, caret] = lines.slice(-2) as [string, string];
    expect(shown.length).toBeLessThan(200);
    expect(shown.slice(caret.indexOf('^'))).toMatch(/^HERE/);
    const tabbed = new Map([['orders.yaml', '\n\ta: [] ']]);
    expect(renderFinding({ ...finding, at: { ...finding.at, column: 5 } }, { sources: tabbed })).toContain('│ \t   ^^');
    expect(renderFinding(finding)).not.toContain('│');
  });

  it('of many ends with a count', () => {
    const warning = { ...finding, severity: 'warning' as const };
    const text = renderFindings([finding, warning], { sources });
    expect(text.endsWith('1 error, 1 warning in 1 file. Fix the ✗ line, then run validate again.')).toBe(true);
    expect(renderFindings([warning])).toMatch(/1 warning in 1 file\.$/);
    expect(renderFindings([])).toBe('');
  });

  it('as JSON has code, severity, message, fix and place', () => {
    expect(findingsJson([finding])).toEqual({
      findings: [
        {
          code: 'E_CONFIG_INVALID',
          severity: 'error',
          message: finding.message,
          fix: finding.fix,
          at: { file: 'orders.yaml', line: 2, column: 11, pointer: '/source/tables' },
        },
      ],
    });
  });
});
