// Metrics in Prometheus' text form (0.0.4): counters, gauges and histograms with labels, and no dependency.
// Refuses what a scraper would refuse later: bad names, labels that were not declared, a counter that goes down.
// Label values are ids of streams, sinks and codes, never values of rows: the number of series stays small.

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(by: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** Takes the series away, for something that is gone (a stream that has stopped). */
  remove(labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  histogram(name: string, help: string, buckets: readonly number[], labels?: readonly string[]): Histogram;
  /** Called before each text(), to set gauges that are only known when asked. */
  onCollect(collect: () => void): void;
  text(): string;
}

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  lines(name: string): Iterable<string>;
  readonly face: Counter | Gauge | Histogram;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export function createMetrics(): Metrics {
  const families = new Map<string, Family>();
  const collects: (() => void)[] = [];

  // a name that is declared twice gives the same family: every stream declares what it counts
  const declare = <F extends Counter | Gauge | Histogram>(name: string, made: Family): F => {
    if (!NAME.test(name)) throw new TypeError(`"${name}" is no name for a metric`);
    const bad = made.labels.find((label) => !LABEL.test(label) || label === 'le' || label.startsWith('__'));
    if (bad !== undefined) throw new TypeError(`"${bad}" is no name for a label`);
    const there = families.get(name);
    if (there === undefined) {
      families.set(name, made);
      return made.face as F;
    }
    if (there.type !== made.type || there.labels.join() !== made.labels.join()) {
      throw new TypeError(`the metric "${name}" is declared already, with another type or other labels`);
    }
    return there.face as F;
  };

  return {
    counter: (name, help, labels = []) => declare(name, counterFamily(name, help, labels)),
    gauge: (name, help, labels = []) => declare(name, gaugeFamily(name, help, labels)),
    histogram: (name, help, buckets, labels = []) => declare(name, histogramFamily(name, help, buckets, labels)),
    onCollect(collect) {
      collects.push(collect);
    },
    text() {
      for (const collect of collects) collect();
      let out = '';
      for (const [name, family] of families) {
        out += `# HELP ${name} ${family.help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${family.type}\n`;
        for (const line of family.lines(name)) out += `${line}\n`;
      }
      return out;
    },
  };
}

function counterFamily(name: string, help: string, labels: readonly string[]): Family {
  const series = new Map<string, number>();
  if (labels.length === 0) series.set('', 0);
  return {
    type: 'counter',
    help,
    labels,
    *lines() {
      for (const [key, value] of series) yield `${name}${braces(key)} ${numberText(value)}`;
    },
    face: {
      add(by: number, given: Labels = {}) {
        if (!(by >= 0)) throw new RangeError(`the counter "${name}" cannot go by ${by}`);
        const key = seriesKey(name, labels, given);
        series.set(key, (series.get(key) ?? 0) + by);
      },
    },
  };
}

function gaugeFamily(name: string, help: string, labels: readonly string[]): Family {
  const series = new Map<string, number>();
  return {
    type: 'gauge',
    help,
    labels,
    *lines() {
      for (const [key, value] of series) yield `${name}${braces(key)} ${numberText(value)}`;
    },
    face: {
      set(value: number, given: Labels = {}) {
        series.set(seriesKey(name, labels, given), value);
      },
      remove(given: Labels = {}) {
        series.delete(seriesKey(name, labels, given));
      },
    },
  };
}

interface Observed {
  readonly counts: number[];
  sum: number;
}

function histogramFamily(name: string, help: string, buckets: readonly number[], labels: readonly string[]): Family {
  const ascending = buckets.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > buckets[i - 1]!));
  if (buckets.length === 0 || !ascending) throw new TypeError(`the buckets of "${name}" are not ascending numbers`);
  const series = new Map<string, Observed>();
  return {
    type: 'histogram',
    help,
    labels,
    *lines() {
      for (const [key, { counts, sum }] of series) {
        const before = key === '' ? '' : `${key},`;
        let total = 0;
        for (const [i, bound] of buckets.entries()) {
          total += counts[i]!;
          yield `${name}_bucket{${before}le="${numberText(bound)}"} ${total}`;
        }
        total += counts[buckets.length]!;
        yield `${name}_bucket{${before}le="+Inf"} ${total}`;
        yield `${name}_sum${braces(key)} ${numberText(sum)}`;
        yield `${name}_count${braces(key)} ${total}`;
      }
    },
    face: {
      observe(value: number, given: Labels = {}) {
        if (Number.isNaN(value)) throw new RangeError(`the histogram "${name}" was given NaN`);
        const key = seriesKey(name, labels, given);
        let observed = series.get(key);
        if (observed === undefined) {
          observed = { counts: new Array<number>(buckets.length + 1).fill(0), sum: 0 };
          series.set(key, observed);
        }
        const bucket = buckets.findIndex((bound) => value <= bound);
        observed.counts[bucket < 0 ? buckets.length : bucket]!++;
        observed.sum += value;
      },
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
