// MD5 (RFC 1321) and SHA-1 (RFC 3174), for UUIDs of version 3 and 5. Synchronous and without a platform's crypto, which browsers
// offer only as promises. Names, not secrets, are hashed.

export function md5(message: readonly number[]): number[] {
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (const block of blocks(message, true)) {
    let [a, b, c, d] = state as [number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      const [mix, word] = md5Round(round, i, b, c, d);
      const sum = (a + mix + MD5_CONSTANTS[i]! + block[word]!) | 0;
      [a, d, c, b] = [d, c, b, (b + rotate(sum, MD5_SHIFTS[round]![i & 3]!)) | 0];
    }
    for (const [i, value] of [a, b, c, d].entries()) state[i] = (state[i]! + value) | 0;
  }
  return state.flatMap((word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24]);
}

const MD5_SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];
const MD5_CONSTANTS = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);

function md5Round(round: number, i: number, b: number, c: number, d: number): readonly [mix: number, word: number] {
  if (round === 0) return [(b & c) | (~b & d), i];
  if (round === 1) return [(d & b) | (~d & c), (5 * i + 1) & 15];
  if (round === 2) return [b ^ c ^ d, (3 * i + 5) & 15];
  return [c ^ (b | ~d), (7 * i) & 15];
}

export function sha1(message: readonly number[]): number[] {
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  for (const block of blocks(message, false)) {
    const words = [...block];
    for (let i = 16; i < 80; i++) {
      words.push(rotate(words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!, 1));
    }
    let [a, b, c, d, e] = state as [number, number, number, number, number];
    for (let i = 0; i < 80; i++) {
      const [mix, constant] = sha1Round(i, b, c, d);
      [a, b, c, d, e] = [(rotate(a, 5) + mix + e + constant + words[i]!) | 0, a, rotate(b, 30), c, d];
    }
    for (const [i, value] of [a, b, c, d, e].entries()) state[i] = (state[i]! + value) | 0;
  }
  return state.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
}

function sha1Round(i: number, b: number, c: number, d: number): readonly [mix: number, constant: number] {
  if (i < 20) return [(b & c) | (~b & d), 0x5a827999];
  if (i < 40) return [b ^ c ^ d, 0x6ed9eba1];
  if (i < 60) return [(b & c) | (b & d) | (c & d), 0x8f1bbcdc];
  return [b ^ c ^ d, 0xca62c1d6];
}

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/** Blocks of 16 words of 32 bits, with the padding that both digests have: a 1, zeros, and the length in bits. */
function* blocks(message: readonly number[], littleEndian: boolean): Generator<readonly number[]> {
  const zeros = (119 - (message.length % 64)) % 64;
  const bits = message.length * 8;
  const length = [0, 8, 16, 24].map((shift) => (bits >>> shift) & 255);
  const high = [0, 8, 16, 24].map((shift) => (Math.floor(bits / 2 ** 32) >>> shift) & 255);
  const tail = [...length, ...high];
  const bytes = [...message, 0x80, ...new Array<number>(zeros).fill(0), ...(littleEndian ? tail : tail.reverse())];
  for (let at = 0; at < bytes.length; at += 64) {
    const words: number[] = [];
    for (let i = at; i < at + 64; i += 4) {
      const four = bytes.slice(i, i + 4);
      if (littleEndian) four.reverse();
      words.push((four[0]! << 24) | (four[1]! << 16) | (four[2]! << 8) | four[3]!);
    }
    yield words;
  }
}
