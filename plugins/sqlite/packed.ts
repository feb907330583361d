// Values as they cross between the threads, for statements of many rows: one text for all texts, and where each of them ends.
// A message with thousands of strings costs more than SQLite needs to store them.

/** What can be bound. A whole number is an integer in SQLite, any other is a real. */
export type Param = string | number | bigint | Uint8Array | null;

/** What packed values are read from again, in their order. */
export interface Packed {
  readonly rows: number;
  /** All texts, one after the other. */
  readonly text: string;
  /** For each value the length of its text, or NULL or OTHER. */
  readonly sizes: Int32Array<ArrayBuffer>;
  /** Numbers and bytes. */
  readonly others: readonly Exclude<Param, string | null>[];
}

const NULL = -1;
const OTHER = -2;

/** Collects the values of some rows. */
export interface Packer {
  push(value: Param): void;
  /** What was pushed; from here on it is empty. */
  take(rows: number): Packed;
}

/** `room`: how many values may be pushed before they are taken. */
export function newPacker(room: number): Packer {
  let texts: string[] = [];
  const sizes = new Int32Array(room);
  let others: Exclude<Param, string | null>[] = [];
  let count = 0;
  return {
    push(value) {
      if (typeof value === 'string') {
        texts.push(value);
        sizes[count++] = value.length;
      } else if (value === null) {
        sizes[count++] = NULL;
      } else {
        others.push(value);
        sizes[count++] = OTHER;
      }
    },
    take(rows) {
      const packed: Packed = { rows, text: texts.join(''), sizes: sizes.slice(0, count), others };
      texts = [];
      others = [];
      count = 0;
      return packed;
    },
  };
}

/** Reads the next `count` values each time that it is called. */
export function unpacker({ text, sizes, others }: Packed): (count: number) => Param[] {
  let at = 0;
  let textAt = 0;
  let otherAt = 0;
  return (count) => {
    const values = new Array<Param>(count);
    for (let i = 0; i < count; i++) {
      const size = sizes[at++]!;
      if (size >= 0) {
        values[i] = text.slice(textAt, textAt + size);
        textAt += size;
      } else {
        values[i] = size === NULL ? null : others[otherAt++]!;
      }
    }
    return values;
  };
}
