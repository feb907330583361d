// All keys, from the one table.

import type { Frame } from '../frame.ts';
import { editorKeys, keys, shownKey } from '../keys.ts';
import { Dialog } from './dialog.tsx';

export function KeySheet({ frame }: { readonly frame: Frame }) {
  const rows = [...keys.filter((one) => one.key !== undefined), ...editorKeys];
  return (
    <Dialog title="Keys" onClose={() => frame.send({ type: 'dialog', dialog: null })}>
      <dl class="keys">
        {rows.map((one) => (
          <div key={one.title}>
            <dt>
              <kbd>{shownKey(one.key!, frame.mac)}</kbd>
            </dt>
            <dd>{one.title}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">
        Single characters work outside of editors and fields only. All of it is in the command palette, too.
      </p>
    </Dialog>
  );
}
