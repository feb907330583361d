// One of several, side by side: a group of buttons of which one is pressed.

import type { Child } from 'hono/jsx';

interface Option<T> {
  readonly value: T;
  readonly title: Child;
}

interface Props<T extends string | number> {
  readonly label: string;
  readonly options: readonly Option<T>[];
  readonly chosen: T;
  readonly onChoose: (value: T) => void;
}

export function Choice<T extends string | number>({ label, options, chosen, onChoose }: Props<T>) {
  return (
    <fieldset class="choice" aria-label={label}>
      {options.map(({ value, title }) => (
        <button key={value} type="button" aria-pressed={String(value === chosen)} onClick={() => onChoose(value)}>
          {title}
        </button>
      ))}
    </fieldset>
  );
}
