// UTF-8 without TextEncoder, which not every place has that this package runs in. A lone surrogate becomes U+FFFD.

export function utf8(text: string): number[] {
  const bytes: number[] = [];
  for (const c of text.toWellFormed()) {
    const point = c.codePointAt(0)!;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), tail(point));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), tail(point >> 6), tail(point));
    else bytes.push(0xf0 | (point >> 18), tail(point >> 12), tail(point >> 6), tail(point));
  }
  return bytes;
}

const tail = (bits: number): number => 0x80 | (bits & 0x3f);
