// What an export would change, as a diff of the files; written only on request. The sample shop can be kept as a project.

import type { DiffLine } from '../../server/api.ts';
import type { Frame } from '../frame.ts';
import { Scrolled } from '../scrolled.tsx';
import { Dialog } from './dialog.tsx';

export function Export({ frame }: { readonly frame: Frame }) {
  const { state, work } = frame;
  const { preview, session, busy } = state;
  const close = (): void => frame.send({ type: 'dialog', dialog: null });
  const errors = preview?.findings.filter((one) => one.severity === 'error') ?? [];
  return (
    <Dialog title="Export to the manifest" wide onClose={close}>
      {preview === null ? <p>Comparing with the files on disk…</p> : null}
      {(preview?.findings ?? []).map((one, i) => (
        <p key={String(i)} class={one.severity === 'error' ? 'banner bad' : 'banner'}>
          <b>{one.code}</b> {one.message}
        </p>
      ))}
      {preview !== null && !preview.changed ? <p>The files on disk are as the editor shows them.</p> : null}
      {(preview?.files ?? []).map((file) => (
        <section key={file.file} aria-label={file.file}>
          <div class="bar">
            <h3>{file.file.split('/').slice(-2).join('/')}</h3>
            <span class="fill" />
            <button type="button" onClick={() => void work.copy(file.text, file.file.split('/').at(-1)!)}>
              Copy
            </button>
            <button type="button" onClick={() => download(file.file.split('/').at(-1)!, file.text)}>
              Download
            </button>
          </div>
          <Scrolled label={`Changes of ${file.file.split('/').at(-1)}`}>
            {around(file.diff).map((line, i) => (
              <span key={String(i)} class={`diff-${line.kind}`}>
                {line.kind === 'added' ? '+ ' : line.kind === 'removed' ? '- ' : '  '}
                {line.text}
                {'\n'}
              </span>
            ))}
          </Scrolled>
        </section>
      ))}
      <div class="bar">
        <button
          type="button"
          class="main"
          data-first
          disabled={preview === null || !preview.changed || errors.length > 0 || busy !== null}
          aria-busy={String(busy === 'write')}
          onClick={() => void work.writeManifest()}
        >
          Write
        </button>
        {session?.sample ? (
          <button
            type="button"
            disabled={busy !== null}
            aria-busy={String(busy === 'keep')}
            onClick={() => void work.keep()}
          >
            Keep the sample as a project
          </button>
        ) : null}
        <button type="button" onClick={close}>
          Cancel
        </button>
      </div>
      {(preview?.commands ?? []).length === 0 ? null : (
        <div>
          <h3>Then, in a shell</h3>
          {preview!.commands.map((command) => (
            <p key={command} class="bar">
              <code class="command">{command}</code>
              <button type="button" class="small" onClick={() => void work.copy(command, 'the command')}>
                Copy
              </button>
            </p>
          ))}
        </div>
      )}
    </Dialog>
  );
}

const CONTEXT = 4;

/** The changed lines with a few around them; where many are left out, one line says how many. */
function around(lines: readonly DiffLine[]): readonly DiffLine[] {
  const near = lines.map((_, i) =>
    lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some(({ kind }) => kind !== 'same'),
  );
  if (!near.includes(true)) return lines;
  const shown: DiffLine[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (near[i]) shown.push(lines[i]!);
    else if (i === 0 || near[i - 1]) {
      const next = near.indexOf(true, i);
      shown.push({ kind: 'same', text: `⋯ ${(next < 0 ? lines.length : next) - i} lines as they were` });
    }
  }
  return shown;
}

function download(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
