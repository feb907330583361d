// Requests that the source carries out: a snapshot of a table, its parking, its resumption. They are answered in the stream: an item
// says that its position holds the effect, and the request ends with the checkpoint that covers that item. So a crash at any
// place asks again or finds it done, and a table is never taken up without the snapshot that its resumption begins with.

import type { Parked } from '../checkpoint.ts';
import { type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { Source, SourceNews, SourceRequest } from '../plugin.ts';
import type { StateStore, StoredRequest } from '../state/store.ts';
import { answerRequest } from './answer.ts';

export interface TableRequests {
  /** The number of the request that the source has and has not taken yet, else 0. */
  readonly given: number;
  /** Does not wait for the source, which may be waiting itself. One that is not there now is asked again. */
  give(request: SourceRequest): void;
  /** A request that the source refuses, once: that is its answer. */
  refused(): Refused | null;
  /** An item is about to be covered: what is parked from it on. Returns the number of the request that ends with it. */
  covers(news: SourceNews, done: number): number | undefined;
  /** The checkpoint is durable that holds the number. */
  answer(number: number): Promise<void>;
}

interface Refused {
  readonly number: number;
  readonly error: SluiceError;
}

interface Parts {
  readonly source: Source;
  readonly store: StateStore;
  /** What the next checkpoint says is parked. */
  readonly parked: { saved: readonly Parked[] };
  parkedTable(table: Parked): void;
  resumedTable(table: string): void;
}

export function tableRequests({ source, store, parked, parkedTable, resumedTable }: Parts): TableRequests {
  let given = 0;
  let refused: Refused | null = null;
  const ask = async (request: SourceRequest): Promise<void> => {
    if (source.control === undefined) {
      throw sluiceError('E_REQUEST_FAILED', {
        message: `this source takes no requests of type ${request.type}`,
        fix: '`sluice plugins describe` shows which sources do',
      });
    }
    await source.control(request);
  };
  return {
    get given() {
      return given;
    },
    give(request) {
      given = request.number;
      void ask(request).catch((thrown: unknown) => {
        if (given !== request.number) return;
        const error = toSluiceError(thrown, 'E_REQUEST_FAILED');
        if (error.class === 'environment') given = 0;
        else refused = { number: request.number, error };
      });
    },
    refused() {
      const found = refused;
      refused = null;
      if (found !== null) given = 0;
      return found;
    },
    covers({ taken, parked: tables }, done) {
      if (tables !== undefined) {
        const before = parked.saved.filter(({ kind }) => kind === 'table');
        const now = tables.map(({ table, ...why }): Parked => ({ kind: 'table', id: table, ...why }));
        parked.saved = [...parked.saved.filter(({ kind }) => kind !== 'table'), ...now];
        for (const one of now) if (!before.some(({ id }) => id === one.id)) parkedTable(one);
        for (const { id } of before) if (!now.some((one) => one.id === id)) resumedTable(id);
      }
      return taken !== undefined && taken > done ? taken : undefined;
    },
    async answer(number) {
      if (given <= number) given = 0;
      await answerRequest(store, number, 'done', null);
    },
  };
}

/** The request as a source takes it; null: it is not for the source. */
export function sourceRequestOf({ number, type, body }: StoredRequest): SourceRequest | null {
  const { table, where, reason, kind, id } = (body ?? {}) as Readonly<Record<string, string | undefined>>;
  if (type === 'snapshot') {
    return { number, type, ...(table === undefined ? {} : { table }), ...(where === undefined ? {} : { where }) };
  }
  if (type === 'park') return { number, type, table: table!, reason: reason! };
  if (type === 'resume' && kind === 'table') return { number, type, table: id! };
  return null;
}
