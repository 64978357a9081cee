// SPDX-License-Identifier: MIT
// The slice that is drawn on: whether it is annotated, what can be done to all of it, how far the scan is.
import type { JSX } from 'preact';
import { percent } from './format.ts';
import { Icon, type IconName } from './icons.tsx';
import { useSelect, useStudio } from './store.ts';
import { drawnPlane, indexOf } from './state.ts';
import { ToolSettings } from './tools.tsx';
import { openProposal } from './trainer.ts';

export function SlicePanel(): JSX.Element {
  const studio = useStudio();
  useSelect((s) => s.drawn);
  const plane = useSelect(drawnPlane);
  const index = useSelect((s) => indexOf(s, drawnPlane(s)));
  const drawing = useSelect((s) => s.scan!.drawing);
  const proposal = useSelect(openProposal);
  const annotated = drawing.isAnnotated(plane, index);
  const empty = drawing.sliceOf(plane, index).data.every((v) => v === 0);
  const counts = (['transverse', 'coronal'] as const).map((p) => `${drawing.annotated[p].size} of ${drawing.count(p)} ${p}`);
  const action = (icon: IconName, text: string, key: string, act: () => void, main = false): JSX.Element => (
    <button class={main ? 'action primary' : 'action'} onClick={act}>
      <Icon name={icon} />
      <span>{text}</span>
      <kbd>{key}</kbd>
    </button>
  );
  return (
    <section class="group">
      <h2>
        {plane === 'transverse' ? 'Transverse' : 'Coronal'} slice {index + 1}
        <span class={annotated ? 'mark yes' : 'mark'}>{annotated ? 'annotated' : 'not annotated'}</span>
      </h2>
      <ToolSettings />
      {action(
        'none',
        annotated ? 'Not annotated after all' : empty ? 'Nothing here' : 'Annotated as it is',
        'N',
        studio.draw.markSlice,
        !annotated,
      )}
      <div class="two">
        {action('copy', 'Copy nearest', 'C', studio.draw.copyNeighbour)}
        {action('suggest', 'Suggestion', 'I', studio.draw.acceptSuggestion)}
        {action('mask', 'Take mask', 'U', studio.draw.acceptMask)}
        {action('next', 'Next to do', 'X', () => void studio.train.propose())}
        {action('fill', 'Fill slice', 'A', studio.draw.fillSlice)}
        {action('clear', 'Clear slice', 'Del', studio.draw.clearSlice)}
      </div>
      {proposal && (
        <p class="callout">
          Slice {proposal.index + 1} is worth annotating next
          {proposal.agreement === null
            ? ': it lies farthest from annotated ones.'
            : `: the networks agree to ${percent(proposal.agreement)}.`}
        </p>
      )}
      <p class="progress-line">
        <b>{percent(drawing.share())}</b> of the voxels annotated
        <span class="soft">{counts.join(', ')}</span>
      </p>
    </section>
  );
}
