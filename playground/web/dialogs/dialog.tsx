// One dialog at a time, modal, by the browser's own <dialog>: it keeps the focus inside, closes on Escape, and gives the focus
// back to where it was.

import type { Child } from 'hono/jsx';
import { useEffect, useRef } from 'hono/jsx/dom';

interface Props {
  readonly title: string;
  readonly wide?: boolean;
  readonly onClose: () => void;
  readonly children?: Child;
}

export function Dialog({ title, wide, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current!;
    const before = document.activeElement;
    dialog.showModal();
    dialog.querySelector<HTMLElement>('[data-first]')?.focus();
    return () => {
      if (before instanceof HTMLElement && document.activeElement === document.body) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? 'dialog wide-dialog' : 'dialog'}
      aria-label={title}
      onCancel={(event: Event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div class="dialog-body">
        <div class="bar">
          <h2>{title}</h2>
          <span class="fill" />
          <button type="button" class="icon" aria-label="Close" onClick={onClose}>
            ×
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}
