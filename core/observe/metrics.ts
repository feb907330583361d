// Metrics in Prometheus' text form (0.0.4): gauges with labels, and no dependency. Gauges alone, because every figure is read
// from a stream's status when a scraper asks; those of a checkpoint go down when somebody clears it, which no counter may.
// Refuses what a scraper would refuse later: bad names, labels that were not declared.
// Label values are ids of streams, sinks and codes, never values of rows: the number of series stays small.

export type Labels = Readonly<Record<string, string>>;

export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** Takes the series away, for something that is gone (a stream that has stopped). */
  remove(labels?: Labels): void;
}

export interface Metrics {
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  /** Called before each text(), to set what is only known when asked. */
  onCollect(collect: () => void): void;
  text(): string;
}

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export function createMetrics(): Metrics {
  const families = new Map<string, { readonly help: string; readonly series: ReadonlyMap<string, number> }>();
  const collects: (() => void)[] = [];
  return {
    gauge(name, help, labels = []) {
      if (!NAME.test(name)) throw new TypeError(`"${name}" is no name for a metric`);
      const bad = labels.find((label) => !LABEL.test(label) || label === 'le' || label.startsWith('__'));
      if (bad !== undefined) throw new TypeError(`"${bad}" is no name for a label`);
      if (families.has(name)) throw new TypeError(`the metric "${name}" is declared already`);
      const series = new Map<string, number>();
      families.set(name, { help, series });
      return {
        set: (value, given = {}) => void series.set(seriesKey(name, labels, given), value),
        remove: (given = {}) => void series.delete(seriesKey(name, labels, given)),
      };
    },
    onCollect(collect) {
      collects.push(collect);
    },
    text() {
      for (const collect of collects) collect();
      let out = '';
      for (const [name, { help, series }] of families) {
        out += `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} gauge\n`;
        for (const [key, value] of series) out += `${name}${braces(key)} ${numberText(value)}\n`;
      }
      return out;
    },
  };
}

// The text between the braces is the key of a series: labels in their declared order, values escaped.
function seriesKey(name: string, labels: readonly string[], given: Labels): string {
  let count = 0;
  for (const _ in given) count++;
  let key = '';
  for (const label of labels) {
    const value = given[label];
    if (value === undefined) throw new TypeError(`the metric "${name}" was not given its label "${label}"`);
    const escaped = /[\\"\n]/.test(value)
      ? value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
      : value;
    key += `${key === '' ? '' : ','}${label}="${escaped}"`;
  }
  if (count !== labels.length) throw new TypeError(`the metric "${name}" was given a label that it does not have`);
  return key;
}

function braces(key: string): string {
  return key === '' ? '' : `{${key}}`;
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
