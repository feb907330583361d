// The edge between two panes: dragged, or moved by the arrow keys, Home and End. Its place is kept with the theme.

import type { Frame } from '../frame.ts';
import { EDGES, type Edge } from '../state.ts';

const STEP = 2;

interface Props {
  readonly frame: Frame;
  readonly edge: Edge;
  readonly label: string;
}

export function Splitter({ frame, edge, label }: Props) {
  const { send } = frame;
  const { least, most } = EDGES[edge];
  const at = frame.state.edges[edge];
  const upright = edge === 'left';
  const move = (to: number): void => send({ type: 'edge', edge, at: to });
  const onKey = (event: KeyboardEvent): void => {
    const keys: Readonly<Record<string, number>> = {
      [upright ? 'ArrowLeft' : 'ArrowUp']: at - STEP,
      [upright ? 'ArrowRight' : 'ArrowDown']: at + STEP,
      Home: least,
      End: most,
    };
    const to = event.altKey ? undefined : keys[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  };
  const onDown = (event: PointerEvent): void => {
    const bar = event.currentTarget as HTMLElement;
    const desk = bar.parentElement!.getBoundingClientRect();
    bar.setPointerCapture(event.pointerId);
    const onMove = ({ clientX, clientY }: PointerEvent): void =>
      move(upright ? ((clientX - desk.left) / desk.width) * 100 : ((clientY - desk.top) / desk.height) * 100);
    bar.addEventListener('pointermove', onMove);
    bar.addEventListener('lostpointercapture', () => bar.removeEventListener('pointermove', onMove), { once: true });
  };
  return (
    <hr
      class={`splitter splitter-${edge}`}
      tabIndex={0}
      aria-orientation={upright ? 'vertical' : 'horizontal'}
      aria-label={label}
      aria-valuenow={String(Math.round(at))}
      aria-valuemin={String(least)}
      aria-valuemax={String(most)}
      onKeyDown={onKey}
      onPointerDown={onDown}
    />
  );
}
