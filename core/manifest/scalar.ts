// What a plain (unquoted) YAML 1.2 scalar means: the core schema's null, booleans and numbers, everything else text.
// For a placeholder that stands alone and unquoted: ${env:PORT} is a number when the variable holds one.

export function scalarOf(text: string): null | boolean | number | string {
  if (/^(null|Null|NULL|~|)$/.test(text)) return null;
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?[0-9]+$/.test(text)) return exact(text, Number(text));
  if (/^0o[0-7]+$/.test(text) || /^0x[0-9a-fA-F]+$/.test(text)) return Number(text);
  if (/^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(text)) return finite(text, Number(text));
  return text;
}

// A long row of digits is an account or a token, not a quantity: as a double it would be another one (invariant 6).
function exact(text: string, value: number): number | string {
  return Number.isSafeInteger(value) ? value : text;
}

function finite(text: string, value: number): number | string {
  return Number.isFinite(value) ? value : text;
}
