// From one text to another as one change: only what differs, so that the cursor stays and little is drawn anew.

export interface TextChange {
  readonly from: number;
  readonly to: number;
  readonly insert: string;
}

export function changeOf(old: string, text: string): TextChange {
  let start = 0;
  const shorter = Math.min(old.length, text.length);
  while (start < shorter && old[start] === text[start]) start++;
  let end = 0;
  while (end < shorter - start && old[old.length - 1 - end] === text[text.length - 1 - end]) end++;
  return { from: start, to: old.length - end, insert: text.slice(start, text.length - end) };
}
