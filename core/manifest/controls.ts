// Text of a file that goes to a terminal: control characters are shown, never obeyed. A manifest that somebody was sent
// must not be able to move the cursor, recolour the screen or hide its own lines.

/** `painted`: the text has colours of our own, which stay. */
export function escapeControls(text: string, painted = false): string {
  let result = '';
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const own = painted && c === 27 && /^\[(?:1|2|22|31|33|39)m/.test(text.slice(i + 1, i + 5));
    if (own || c === 9 || (c >= 32 && c < 127) || (c > 159 && !isBidi(c))) result += text[i]!;
    else result += '·';
  }
  return result;
}

// Marks that turn the direction of writing: what is seen would not be what is there.
function isBidi(c: number): boolean {
  return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c === 0x2028 || c === 0x2029;
}
