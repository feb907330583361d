// Numbers of single precision, as the server writes them. Pure.
// Since version 12 its text of a `real` is the shortest decimal that lies strictly between the two halfway points to the singles
// next to it, and of those the nearest; of two that are equally near the even one. A halfway point itself, which would be read as
// the same single, it does not take (src/common/f2s.c, "STRICTLY_SHORTEST").

const MAX_DIGITS = 9; // as many as any single needs

/** True when a `real` gives this number back: it is a single, or what the server writes for the nearest one. */
export function survivesSingle(value: number): boolean {
  const single = Math.fround(value);
  if (single === value || !Number.isFinite(value)) return true;
  if (single === 0 || !Number.isFinite(single)) return false;
  const point = Math.abs(value).toExponential().indexOf('e');
  const digits = point === 1 ? 1 : point - 1;
  if (digits > MAX_DIGITS) return false;
  const size = Math.abs(single);
  return decimalOf(size, digits) === Math.abs(value) && (digits === 1 || decimalOf(size, digits - 1) === null);
}

const bits = new DataView(new ArrayBuffer(4));

/** The nearest number of so many digits that stands for this single, which is above 0; null when there is none. */
function decimalOf(single: number, digits: number): number | null {
  bits.setFloat32(0, single);
  const place = bits.getUint32(0);
  const at = (n: number): number => {
    bits.setUint32(0, n);
    return bits.getFloat32(0);
  };
  const low = (at(place - 1) + single) / 2; // a double holds it exactly
  const next = at(place + 1);
  const high = Number.isFinite(next) ? (single + next) / 2 : single + (single - low);
  const [text, exponent] = single.toExponential(digits - 1).split('e') as [string, string];
  const unit = Number(exponent) - digits + 1;
  const up = Number(text.replace('.', ''));
  const whole = up % 2 === 1 && isTie(single, digits) ? up - 1 : up;
  const number = Number(`${whole}e${unit}`);
  if (number > low && number < high) return number;
  // below a power of two singles are closer together: there the nearest may be too far away, and the one above it is not
  const above = Number(`${whole + 1}e${unit}`);
  return number <= low && above < high ? above : null;
}

/** True when the number lies halfway between two of so many digits: JavaScript then takes the upper one, the server the even one. */
function isTie(single: number, digits: number): boolean {
  const [text] = single.toExponential(40).split('e') as [string];
  return /^50*$/.test(text.replace('.', '').slice(digits));
}
