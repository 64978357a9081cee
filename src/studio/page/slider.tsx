// SPDX-License-Identifier: MIT
// The slider through the large plane's slices, with a tick at every annotated one.
import type { Plane } from '../../axes.ts';
import type { JSX } from 'preact';
import { axisOf } from '../annotate/planes.ts';
import { isDrawn } from './state.ts';
import { useSelect, useStudio } from './store.ts';
import { openProposal } from './trainer.ts';

export function Slider(): JSX.Element {
  const studio = useStudio();
  const plane = useSelect((s): Plane => (s.main === 'space' ? 'transverse' : s.main));
  const index = useSelect((s) => s.cross[axisOf(plane)]);
  const drawing = useSelect((s) => s.scan!.drawing);
  const proposal = useSelect(openProposal);
  useSelect((s) => s.drawn);
  const count = drawing.size[axisOf(plane)];
  const ticks = isDrawn(plane) ? [...drawing.annotated[plane]] : [];
  const place = (k: number): number => (count > 1 ? (1000 * k) / (count - 1) : 500);
  return (
    <div class="slider">
      <span class="soft end">1</span>
      <div class="track">
        <svg viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true">
          {ticks.map((k) => (
            <line key={k} x1={place(k)} x2={place(k)} y1="2" y2="18" class="tick" />
          ))}
          {proposal?.plane === plane && <line x1={place(proposal.index)} x2={place(proposal.index)} y1="0" y2="20" class="tick proposed" />}
        </svg>
        <input
          type="range"
          min="0"
          max={count - 1}
          value={index}
          aria-label={`${plane} slice`}
          aria-valuetext={`slice ${index + 1} of ${count}${isDrawn(plane) && drawing.isAnnotated(plane, index) ? ', annotated' : ''}`}
          onInput={(e) => studio.look.to(plane, e.currentTarget.valueAsNumber)}
        />
      </div>
      <span class="soft end">{count}</span>
    </div>
  );
}
