// The size of a long test: its full figures with `npm run test:long` (SLUICE_LONG=1), a tenth of them otherwise.

export const long = process.env['SLUICE_LONG'] === '1';

export const scaled = (full: number): number => (long ? full : Math.ceil(full / 10));
