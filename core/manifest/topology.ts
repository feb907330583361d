// What streams do to each other: no end writes where its own stream reads, no file has two writers, and no stream feeds
// another one back in a circle, which would copy the same events for ever.
// Two database sinks on one table are allowed: a database has its own order of writers; a file has none.

import { realpathSync } from 'node:fs';
import type { SinkConfig, SourceConfig } from './model.ts';
import type { Work } from './work.ts';

/** A stream's ends as far as they could be built: a mistake in one end hides nothing of the others. */
export interface StreamEnds {
  readonly pointer: string;
  readonly id: string;
  readonly enabled: boolean;
  /** The id of the sink that is the checkpoint's home. */
  readonly home: string | null;
  readonly source: SourceConfig | null;
  readonly sinks: readonly { readonly pointer: string; readonly sink: SinkConfig }[];
}

interface Ends {
  readonly stream: StreamEnds;
  readonly reads: readonly string[];
  readonly writes: readonly { readonly pointer: string; readonly places: readonly string[] }[];
}

/** `statePath`: the state store's file, or null for one in memory. */
export function checkTopology(work: Work, streams: readonly StreamEnds[], statePath: string | null): void {
  const all = streams.map(endsOf);
  for (const ends of all) {
    sameStream(work, ends);
    besideHome(work, ends);
    if (statePath !== null) besideState(work, ends, realPath(statePath));
  }
  const enabled = all.filter(({ stream }) => stream.enabled);
  oneWriter(work, enabled);
  circles(work, enabled);
}

function endsOf(stream: StreamEnds): Ends {
  const { source, sinks } = stream;
  return {
    stream,
    reads: source === null ? [] : placesOf(() => source.plugin.source?.place?.(source.config as never)),
    writes: sinks.map(({ pointer, sink }) => ({
      pointer,
      places: placesOf(() => sink.plugin.sink?.place?.(sink.config as never)),
    })),
  };
}

function overlap(reads: readonly string[], writes: readonly string[]): boolean {
  return reads.some((read) => writes.some((write) => samePlace(read, write)));
}

// `<database>#<table>` and `<database>#*` overlap: who writes to every table may write to this one.
function samePlace(a: string, b: string): boolean {
  if (a === b) return true;
  const [inA, inB] = [a.lastIndexOf('#'), b.lastIndexOf('#')];
  if (inA < 0 || inB < 0 || a.slice(0, inA) !== b.slice(0, inB)) return false;
  return a.slice(inA) === '#*' || b.slice(inB) === '#*';
}

function placesOf(place: () => string | readonly string[] | undefined): readonly string[] {
  try {
    return [place() ?? []].flat();
  } catch {
    return []; // a configuration with unresolved parts (inspect), or a faulty plugin
  }
}

function sameStream(work: Work, { reads, writes }: Ends): void {
  for (const { pointer, places } of writes) {
    if (!overlap(reads, places)) continue;
    work.error(
      'E_MANIFEST_SAME_PLACE',
      pointer,
      'this sink writes to the place that its own stream reads',
      'write somewhere else',
    );
  }
}

// The home's transaction may stay open over several batches; another sink on its database would wait for it for ever.
function besideHome(work: Work, { stream, writes }: Ends): void {
  const index = stream.sinks.findIndex(({ sink }) => sink.id === stream.home);
  const databases = new Set((writes[index]?.places ?? []).map(fileOf));
  writes.forEach(({ pointer, places }, k) => {
    if (k === index || !places.some((place) => databases.has(fileOf(place)))) return;
    work.error(
      'E_MANIFEST_SAME_PLACE',
      pointer,
      `this sink writes to the database that holds the checkpoint, beside its home \`${stream.home}\``,
      'give it a database of its own, or keep the checkpoint in the state store with `checkpoint: state`',
    );
  });
}

// Two libraries on one SQLite file in one process take away each other's locks, and then the file.
function besideState(work: Work, { stream, reads, writes }: Ends, statePath: string): void {
  const ends = [{ pointer: `${stream.pointer}/source`, places: reads }, ...writes];
  for (const { pointer, places } of ends) {
    if (!places.some((place) => realPath(fileOf(place)) === statePath)) continue;
    work.error(
      'E_MANIFEST_SAME_PLACE',
      pointer,
      'this is the file of the state store',
      'give `service.state.path` a file of its own',
    );
  }
}

// `sqlite:/data/shop.db#orders` is in /data/shop.db
function fileOf(place: string): string {
  const from = place.indexOf(':') + 1;
  const to = place.lastIndexOf('#');
  return place.slice(from, to < from ? undefined : to);
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // not there yet
  }
}

function oneWriter(work: Work, all: readonly Ends[]): void {
  const writers = new Map<string, string>();
  for (const { writes } of all) {
    for (const { pointer, places } of writes) {
      for (const place of places.filter((each) => each.startsWith('file:'))) {
        const before = writers.get(place);
        if (before === undefined) {
          writers.set(place, pointer);
          continue;
        }
        const line = work.doc.places.at(before, 'value').line;
        work.error(
          'E_MANIFEST_SAME_PLACE',
          pointer,
          `the sink at line ${line} writes to this file already`,
          'give each its own file',
        );
        break;
      }
    }
  }
}

// Each circle is told once, at the sink that closes it: the first one that a walk in the order of the file finds.
function circles(work: Work, all: readonly Ends[]): void {
  const state = new Map<Ends, 'open' | 'done'>();
  const path: Ends[] = [];
  const walk = (from: Ends): void => {
    state.set(from, 'open');
    path.push(from);
    for (const { pointer, places } of from.writes) {
      for (const to of all) {
        if (to === from || !overlap(to.reads, places)) continue;
        if (state.get(to) === 'open') {
          const ids = path.slice(path.indexOf(to)).map(({ stream }) => `\`${stream.id}\``);
          const message = `this sink feeds ${ids[0]} back: ${[...ids, ids[0]].join(' → ')}`;
          work.error('E_MANIFEST_CYCLE', pointer, message, 'break the circle');
        } else if (!state.has(to)) walk(to);
      }
    }
    path.pop();
    state.set(from, 'done');
  };
  for (const ends of all) if (!state.has(ends)) walk(ends);
}
