// SPDX-License-Identifier: MIT
// A phantom data set on disk in the layout every other data set has: the demo runs the whole chain on it.
import { makePhantom, type PhantomOptions } from '../../../data/phantom.ts';
import { withNewDataset, type ImportResult } from './import/new_dataset.ts';
import { join } from 'node:path';
import { writeVolume } from '../volume.ts';

/** Options of the phantoms (but `index`), and how many. */
export interface PhantomDatasetOptions extends Omit<PhantomOptions, 'index'> {
  /** Training cases, phantom_000 ... */
  readonly training: number;
  /** Held-out cases, numbered on; their masks go to labelsTs. */
  readonly test: number;
  readonly onCase?: (done: number, total: number, name: string) => void;
}

/** Writes imagesTr, labelsTr, imagesTs, labelsTs and dataset.json below `target` (new or empty, else DataError). */
export async function writePhantomDataset(target: string, options: PhantomDatasetOptions): Promise<ImportResult> {
  const { training, test, onCase, ...shape } = options;
  return withNewDataset(target, async (builder) => {
    for (let index = 0; index < training + test; index++) {
      const name = `phantom_${String(index).padStart(3, '0')}`;
      const { image, label } = makePhantom({ ...shape, index });
      await builder.add(name, image, index < training ? label : undefined, 'phantom');
      if (index >= training) await writeVolume(join(builder.folder, 'labelsTs', `${name}.nii.gz`), label);
      onCase?.(index + 1, training + test, name);
    }
    const lesions = Array.from({ length: shape.classes ?? 1 }, (_, i) => [i === 0 ? 'nodule' : `nodule_${i + 1}`, i + 1]);
    return { name: 'phantom', labels: { background: 0, ...Object.fromEntries(lesions) }, label_source: 'phantom' };
  });
}
