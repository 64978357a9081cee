// SPDX-License-Identifier: MIT
// Nodule volumes of interest cut from LIDC-IDRI: image/*.nii.gz, nodule_mask/*.nii.gz, index.csv with the patient of each file.
import { join } from 'node:path';
import { DataError } from '../../../../errors.ts';
import { csvNumber, readCsv } from './csv.ts';
import { volumeStem, withNewDataset, type ImportResult } from './new_dataset.ts';

/** Which nodules to take. */
export interface LidcOptions {
  /** Nodules with fewer slices are left out (index.csv, column nz). Default 1. */
  readonly minSlices?: number;
  /** Called after each nodule. */
  readonly onCase?: (done: number, total: number, name: string) => void;
}

/** Imports LIDC-style volumes of interest; the patients of index.csv become dataset.json's `patients`, so splits keep them whole. */
export async function importLidcVoi(source: string, target: string, options: LidcOptions = {}): Promise<ImportResult> {
  const index = join(source, 'index.csv');
  const rows = await readCsv(index, ['file', 'patient', 'nz']);
  const kept = rows.filter((row) => csvNumber(index, row, 'nz') >= (options.minSlices ?? 1));
  return withNewDataset(target, async (builder) => {
    const patients: Record<string, string> = {};
    for (const [i, { file, patient }] of kept.entries()) {
      const name = volumeStem(file);
      if (!name || /[\\/]/.test(file))
        throw new DataError(`${index}: column file, got "${file}", expected the name of a volume in image/.`);
      if (!patient)
        throw new DataError(`${index}: ${file} has no patient.`, 'Without it a patient could be trained and tested on at once.');
      await builder.add(name, join(source, 'image', file), join(source, 'nodule_mask', file), index);
      patients[name] = patient;
      options.onCase?.(i + 1, kept.length, name);
    }
    builder.notes.push(
      `${kept.length} of ${rows.length} nodules with at least ${options.minSlices ?? 1} slices, of ` +
        `${new Set(Object.values(patients)).size} patients.`,
    );
    return { labels: { background: 0, nodule: 1 }, patients };
  });
}
