// SPDX-License-Identifier: MIT
// What can be taken away, and what is left out of it.
import type { JSX } from 'preact';
import type { ExportChoice } from '../protocol.ts';
import { bytes } from './format.ts';
import { Icon } from './icons.tsx';
import { useSelect, useStudio } from './store.ts';

export function TakePanel(): JSX.Element {
  const studio = useStudio();
  const scan = useSelect((s) => s.scan!);
  const training = useSelect((s) => s.training);
  const taken = useSelect((s) => s.taken);
  const trained = !!training && training.status !== 'none';
  const running = training?.status === 'running';
  const { name, format } = scan.info;
  const entry = (text: string, what: string, choice: ExportChoice, there: boolean): JSX.Element => (
    <button class="take" disabled={!there} onClick={() => void studio.take.file(choice)}>
      <Icon name="take" />
      <span>
        <b>{text}</b>
        <span class="soft">{what}</span>
      </span>
    </button>
  );
  return (
    <section class="group">
      <h2>Take away</h2>
      {!trained && <p class="callout">Nothing is trained yet: masks, model and report come with the first run.</p>}
      {running && <p class="callout">Training runs: pause it to make the mask of the whole scan.</p>}
      {entry('Mask, NIfTI', 'Every slice, on the scan’s exact grid', { what: 'mask', name, format: 'nifti' }, trained && !running)}
      {format === 'dicom' &&
        entry('Mask, DICOM SEG', 'Refers to the series it was made of', { what: 'mask', name, format: 'dicom-seg' }, trained && !running)}
      {entry('Annotation, NIfTI', 'What was drawn; 255 where nobody looked', { what: 'annotation', name }, true)}
      {entry('Model', 'Weights, as voxelgrad predict takes them', { what: 'model' }, trained)}
      {entry('Plan', 'Every setting of the training', { what: 'plan' }, trained)}
      {entry('Report', 'The page that voxelgrad report writes', { what: 'report' }, trained)}
      {entry('Session', 'All of this as one file, for another browser or voxelgrad train --resume', { what: 'session' }, true)}
      {taken.map((file) => (
        <div key={file.name} class="callout">
          <p>
            <b>{file.name}</b> <span class="soft">{bytes(file.blob.size)}</span>
          </p>
          {file.notes.length > 0 && (
            <ul>
              {file.notes.map((note) => (
                <li key={note}>{note}</li>
              ))}
            </ul>
          )}
        </div>
      ))}
    </section>
  );
}
