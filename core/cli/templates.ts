// The files of a new pipeline. A test runs what this makes, so it cannot rot.

export function pipelineFiles(name: string): Readonly<Record<string, string>> {
  return {
    'sluice.yaml': `version: 1

transformations:
  - id: reshape
    type: javascript
    file: ./reshape.ts

streams:
  - id: ${name}
    # The sample shop: replace it by your own source (\`sluice plugins list\`).
    source: { type: sample, events: 12 }
    transformations: [reshape]
    sinks:
      - { id: out, type: file, path: ./out.ndjson, format: event }
`,
    'reshape.ts': `// Called for every row. Return a row, an array of rows, or null to leave the event out.
// A throw makes the event a dead letter: \`sluice dead-letters list\`.

interface Row {
  [column: string]: unknown;
}

export default (row: Row): Row => ({ ...row, reshaped: true });
`,
  };
}
