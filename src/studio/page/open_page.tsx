// SPDX-License-Identifier: MIT
// The first thing seen: where scans come from, and what there is to go on with.
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { SessionInfo } from '../protocol.ts';
import { chosen } from './dropped.ts';
import { bytes, percent } from './format.ts';
import { Icon } from './icons.tsx';
import { useSelect, useStudio } from './store.ts';

export function OpenPage(): JSX.Element {
  const studio = useStudio();
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const session = useSelect((s) => s.session);
  const served = useSelect((s) => s.served);
  useEffect(() => void studio.open.refresh(), [studio]);
  const take = (e: { readonly currentTarget: HTMLInputElement }): void => {
    const list = e.currentTarget.files;
    if (list?.length) void studio.open.files(chosen(list));
    e.currentTarget.value = '';
  };
  return (
    <main class="open">
      <section class="drop">
        <h1>Paint a few slices. Get the whole mask.</h1>
        <p class="lead">
          Drop a CT here: NIfTI, NRRD, MetaImage, a DICOM folder, an nnU-Net data set, or a session file. Everything stays in this browser;
          nothing is sent anywhere.
        </p>
        <div class="row">
          <button class="primary" onClick={() => files.current?.click()}>
            <Icon name="open" /> Choose files
          </button>
          <button onClick={() => folder.current?.click()}>Choose a folder</button>
          <button onClick={() => void studio.open.phantom()}>Try the sample phantom</button>
        </div>
        <input ref={files} type="file" multiple hidden aria-label="Files" onChange={take} />
        <input ref={folder} type="file" multiple hidden aria-label="Folder" {...{ webkitdirectory: true }} onChange={take} />
      </section>
      {served && served.length > 0 && (
        <section class="sheet">
          <h2>In the folder that the studio was started on</h2>
          <p class="soft">
            {served.length} files, {bytes(served.reduce((sum, f) => sum + f.bytes, 0))}
          </p>
          <button onClick={() => void studio.open.served(served.map((f) => f.path))}>Open them all</button>
        </section>
      )}
      {session && session.cases.length > 0 && <Cases />}
      <Sessions />
      <footer class="soft">
        Not for clinical use: masks are for research and may be wrong. A mask is no better than the slices that taught it; look at every one
        of them.
      </footer>
    </main>
  );
}

function Cases(): JSX.Element {
  const studio = useStudio();
  const session = useSelect((s) => s.session)!;
  return (
    <section class="sheet">
      <h2>{session.name}</h2>
      <ul class="list">
        {session.cases.map((c) => (
          <li key={c.name}>
            <span>
              <b>{c.name}</b>{' '}
              <span class="soft">
                {[...c.size].reverse().join(' × ')} voxels,{' '}
                {[...c.spacing]
                  .reverse()
                  .map((x) => Number(x.toFixed(2)))
                  .join(' × ')}{' '}
                mm{c.share > 0 && `, ${percent(c.share)} annotated`}
                {c.masked && ', with a mask'}
              </span>
            </span>
            <button
              onClick={() => {
                studio.look.stage('annotate');
                void studio.open.scan(c.name);
              }}
            >
              Open
            </button>
          </li>
        ))}
      </ul>
      <button onClick={() => void studio.open.close()}>Close this session</button>
    </section>
  );
}

function Sessions(): JSX.Element {
  const studio = useStudio();
  const sessions = useSelect((s) => s.sessions);
  const open = useSelect((s) => s.session);
  const others = sessions.filter((s) => s.id !== open?.id);
  if (others.length === 0) return <p class="soft empty">No earlier session is kept in this browser.</p>;
  return (
    <section class="sheet">
      <h2>Go on with</h2>
      <ul class="list">
        {others.map((s) => (
          <li key={s.id}>
            <span>
              <b>{s.name}</b> <span class="soft">{about(s)}</span>
            </span>
            <button disabled={s.busy} onClick={() => void studio.open.session(s.id)}>
              {s.busy ? 'In another tab' : 'Go on'}
            </button>
            <button
              class="danger"
              disabled={s.busy}
              onClick={() => confirm(`Throw “${s.name}” away, with its drawing and training?`) && void studio.open.remove(s.id)}
            >
              Throw away
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function about({ cases, bytes: size, changed, run }: SessionInfo): string {
  const trained = run ? `, ${run.finished ? 'trained' : 'training stopped'} at ${run.done} of ${run.total} iterations` : '';
  return `${cases} ${cases === 1 ? 'scan' : 'scans'}, ${bytes(size)}, ${new Date(changed).toLocaleString()}${trained}`;
}
