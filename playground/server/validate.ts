// What comes from the browser, checked by the schemas of api.ts and decoded by them (defaults are filled in), in the same
// way and with the same words as a manifest.

import { sluiceError } from 'sluice/sdk';
import { decodeConfig } from '../../core/workbench.ts';
import type { Endpoint } from './api.ts';

type Schema = NonNullable<Endpoint['body']>;

/** @throws SluiceError E_PLAYGROUND_REQUEST, with the place in the request as a JSON Pointer */
export function checked(schema: Schema, value: unknown, called: string): unknown {
  const { config, findings } = decodeConfig(schema, value, { dir: '/', code: 'E_PLAYGROUND_REQUEST', called });
  const first = findings[0];
  if (first === undefined) return config;
  throw sluiceError('E_PLAYGROUND_REQUEST', {
    message: first.message,
    ...(first.fix === undefined ? {} : { fix: first.fix }),
    at: { pointer: first.pointer },
  });
}

/** The query of an address: texts, which become numbers where the schema wants them. */
export function checkedQuery(schema: Schema, query: URLSearchParams): unknown {
  const value: Record<string, unknown> = {};
  for (const [name, text] of query) {
    const field = Object.hasOwn(schema.properties, name) ? schema.properties[name]! : null;
    const isNumber = field !== null && 'type' in field && (field.type === 'integer' || field.type === 'number');
    value[name] = isNumber && /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  }
  return checked(schema, value, 'the query');
}
