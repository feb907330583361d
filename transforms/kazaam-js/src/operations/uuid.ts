// uuid: random ones, and ones that are made from names: each name of the list is hashed into the UUID of those before it.

import type { Context, Operation } from '../context.ts';
import { KazaamError, specError } from '../errors.ts';
import { isList, isObject, type SpecObject, type SpecValue } from '../go-value.ts';
import { compilePath } from '../path.ts';
import { lookup } from '../read.ts';
import type { StepSpec } from '../spec.ts';
import { namedUuid, namespaceOf, randomUuid, type Uuid, uuidText } from '../uuid/uuid.ts';
import { write } from '../write.ts';

type Make = (text: string) => Uuid;

export function uuid(step: StepSpec, context: Context, spec: SpecObject): Operation {
  const operations = [...spec].map(([target, members]): Operation => {
    const path = compilePath(target, step.keySeparator);
    let make: Make;
    try {
      make = makerOf(members, step, context);
    } catch (error) {
      return () => {
        throw error;
      };
    }
    return (text) => write(text, path, `"${uuidText(make(text))}"`);
  });
  return (text) => operations.reduce((out, one) => one(out), text);
}

function makerOf(members: SpecValue, step: StepSpec, context: Context): Make {
  if (!isObject(members)) throw specError('Invalid Spec for UUID');
  const given = members.get('version');
  const version = typeof given === 'number' ? Math.trunc(given) : 0;
  if (version !== 3 && version !== 4 && version !== 5) throw specError('Please set version 3 || 4 || 5');
  if (version === 4) return () => randomUuid(context.random);
  const names = members.get('names');
  if (names === undefined) throw specError('Must provide names field');
  const text = members.get('namespace');
  if (typeof text !== 'string') throw specError('Must provide `namespace` as a string');
  if (!isList(names)) throw specError('Spec is invalid. `Names` field must be an array.');
  const namespace = namespaceOf(text);
  if (namespace === null) throw specError('Namespace is not a valid UUID or is not DNS, URL, OID, X500');
  const readers = names.map((name) => nameOf(name, step, context));
  return (document) => readers.reduce((id, name) => namedUuid(version, id, name(document)), namespace);
}

function nameOf(name: SpecValue, step: StepSpec, context: Context): (text: string) => string {
  if (!isObject(name)) {
    return () => {
      throw specError('Spec is invalid. Items of `Names` must be objects.');
    };
  }
  const given = name.get('path');
  const fallback = name.get('default');
  const path = compilePath(typeof given === 'string' ? given : '', step.keySeparator);
  return (text) => {
    let value: string | null;
    try {
      value = lookup(text, path, true);
    } catch (error) {
      if (!(error instanceof KazaamError)) throw error;
      if (error.type === 'RequireError') value = null;
      else if (context.strict || error.type === 'SpecError') throw error;
      else return ''; // Go hashes nothing where the path is wrong
    }
    if (value !== null) return value.replace(/"$/, '').replace(/^"/, '');
    if (typeof fallback !== 'string') throw specError('Spec is invalid. Unable to get path or default');
    return fallback;
  };
}
