// A long text that scrolls by itself. It takes the focus, because otherwise nobody could scroll it by keyboard.

import type { Child } from 'hono/jsx';

interface Props {
  readonly label: string;
  readonly children?: Child;
}

export function Scrolled({ label, children }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="scrolled" tabIndex={0} aria-label={label}>
      <pre>{children}</pre>
    </section>
  );
}
