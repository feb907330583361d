// Test results as JUnit's XML, which every CI system shows.

import type { FileResult } from './run-test-file.ts';

export function junitXml(files: readonly FileResult[]): string {
  const suites = files.map((file) => {
    const cases = [
      ...file.results.map((test) => {
        const head = `    <testcase name=${quoted(test.name)} classname=${quoted(file.file)} file=${quoted(file.file)} line="${test.line}" time="${seconds(test.ms)}"`;
        if (test.passed) return `${head}/>`;
        const [first = 'it failed'] = test.differences;
        return `${head}>\n      <failure message=${quoted(first)}>${escaped(test.differences.join('\n'))}</failure>\n    </testcase>`;
      }),
      // a file that cannot be read has no tests that could fail
      ...file.findings.map((finding) => {
        const { line = 1 } = finding.at ?? {};
        return `    <testcase name=${quoted(`${finding.code} at line ${line}`)} classname=${quoted(file.file)}>\n      <error message=${quoted(finding.message)}/>\n    </testcase>`;
      }),
    ];
    const failures = file.results.filter((test) => !test.passed).length;
    const time = file.results.reduce((sum, test) => sum + test.ms, 0);
    return `  <testsuite name=${quoted(file.file)} tests="${cases.length}" failures="${failures}" errors="${file.findings.length}" skipped="0" time="${seconds(time)}">\n${cases.join('\n')}\n  </testsuite>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function quoted(text: string): string {
  return `"${escaped(text).replaceAll('"', '&quot;').replaceAll('\n', '&#10;')}"`;
}

// XML has no way to write most control characters, not even as references.
function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const legal = text.toWellFormed().replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
  return legal.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
