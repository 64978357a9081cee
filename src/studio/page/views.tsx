// SPDX-License-Identifier: MIT
// The four views, one of them large, and the slider of the large one.
import type { JSX } from 'preact';
import { Icon } from './icons.tsx';
import { SliceView } from './slice_view.tsx';
import { Slider } from './slider.tsx';
import { SpaceView } from './space_view.tsx';
import { useSelect, useStudio } from './store.ts';

const VIEWS = ['transverse', 'coronal', 'sagittal', 'space'] as const;
const NAMES = { transverse: 'Transverse', coronal: 'Coronal', sagittal: 'Sagittal', space: '3D' } as const;

export function Views(): JSX.Element {
  const studio = useStudio();
  const main = useSelect((s) => s.main);
  const layout = useSelect((s) => s.layout);
  const under = useSelect((s) => s.under);
  return (
    <div class="stage-area">
      <div class="view-bar">
        <div class="segments" role="group" aria-label="Large view">
          {VIEWS.map((view) => (
            <button key={view} aria-pressed={layout === 'one' && main === view} onClick={() => studio.look.enlarge(view)}>
              {NAMES[view]}
            </button>
          ))}
          <button class="four" aria-pressed={layout === 'four'} title="Four views (G)" aria-label="Four views" onClick={studio.look.layout}>
            <Icon name="four" />
          </button>
        </div>
        <output class="under">
          {under ? (
            <>
              <b>{Math.round(under.hu)} HU</b>
              <span class="soft">
                {' '}
                at{' '}
                {[...under.voxel]
                  .reverse()
                  .map((v) => v + 1)
                  .join(', ')}
              </span>
            </>
          ) : (
            <span class="soft">HU under the pointer</span>
          )}
        </output>
      </div>
      <div class={`views ${layout} main-${main}`}>
        {VIEWS.map((view) => (
          <figure key={view} class={`view view-${view} ${main === view ? 'main' : ''}`} aria-label={NAMES[view]}>
            {view === 'space' ? <SpaceView /> : <SliceView plane={view} />}
            <figcaption>{NAMES[view]}</figcaption>
            {(main !== view || layout === 'four') && (
              <button
                class="enlarge"
                title={`${NAMES[view]} large`}
                aria-label={`${NAMES[view]} large`}
                onClick={() => studio.look.enlarge(view)}
              >
                <Icon name="large" />
              </button>
            )}
          </figure>
        ))}
      </div>
      <Slider />
    </div>
  );
}
