// The dialog that is open.

import type { Frame } from '../frame.ts';
import { AddStep } from './add-step.tsx';
import { Conflict } from './conflict.tsx';
import { Export } from './export.tsx';
import { History } from './history.tsx';
import { KeySheet } from './key-sheet.tsx';
import { Palette } from './palette.tsx';
import { Paste } from './paste.tsx';
import { SaveTest } from './save-test.tsx';
import { ShareLink } from './share-link.tsx';

export function Dialogs({ frame }: { readonly frame: Frame }) {
  switch (frame.state.dialog) {
    case 'palette':
      return <Palette frame={frame} />;
    case 'keys':
      return <KeySheet frame={frame} />;
    case 'export':
      return <Export frame={frame} />;
    case 'share':
      return <ShareLink frame={frame} />;
    case 'save-test':
      return <SaveTest frame={frame} />;
    case 'history':
      return <History frame={frame} />;
    case 'conflict':
      return <Conflict frame={frame} />;
    case 'paste':
      return <Paste frame={frame} />;
    case 'add-step':
      return <AddStep frame={frame} />;
    default:
      return null;
  }
}
