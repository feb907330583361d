// What the package exports.

export { EXTENSIONS, type Extension } from './context.ts';
export { type ErrorKind, KazaamError } from './errors.ts';
export type { SpecObject, SpecValue } from './go-value.ts';
export { arrayItems, isJson, isJsonFast } from './is-json.ts';
export { type CustomConfig, type CustomTransform, findSpecErrors, Kazaam, type KazaamOptions } from './kazaam.ts';
export { type Step, stepPlaces } from './spec.ts';
