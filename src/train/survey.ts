// SPDX-License-Identifier: MIT
// A look at everything a run will read, before the first iteration: a damaged case must not end a run hours later, and a report
// must be able to say what was annotated and on which files it stands.
import type { Dataset } from '../data/dataset.ts';
import type { Fold } from '../data/folds.ts';
import { spacingOver, type SpacingRange } from '../data/familiar.ts';
import { HOUNSFIELD_REMEDY, notHounsfield } from '../data/hounsfield.ts';
import type { PreparedCase } from '../data/sample.ts';
import { sumOfDataset } from './data_files.ts';

export interface Survey {
  /** Annotated shares of the training cases, 0 to 1: voxels, and slices annotated throughout. */
  readonly annotated: { readonly voxels: number; readonly transverse: number; readonly coronal: number };
  /** Of the scans that are learnt from, as they are stored. */
  readonly spacing: SpacingRange;
  /** Scans that can hardly be CT in Hounsfield units, and why. */
  readonly doubtful: ReadonlyMap<string, string>;
  /** sha256 over the names and sha256 sums of the data set's files. */
  readonly hash: string;
}

/** What a person is told of doubtful scans; undefined where there are none. */
export function doubtfulWords({ doubtful }: Pick<Survey, 'doubtful'>): string | undefined {
  const [first] = doubtful;
  return (
    first &&
    `${doubtful.size === 1 ? 'a scan that is' : `${doubtful.size} scans that are`} hardly CT, such as ${first[0]}: ${first[1]}. ` +
      HOUNSFIELD_REMEDY
  );
}

export interface SurveyOptions {
  load(name: string): Promise<PreparedCase>;
  onCase?(done: number, total: number): void;
}

/** Loads every case of the fold that training reads. @throws DataError for the first that cannot be used */
export async function survey(dataset: Dataset, fold: Fold, { load, onCase }: SurveyOptions): Promise<Survey> {
  const sum = { voxels: 0, whole: 0, transverse: 0, slices: 0, coronal: 0, rows: 0 };
  const doubtful = new Map<string, string>();
  const spacings: SpacingRange[] = [];
  const names = [...fold.train, ...fold.selection];
  for (const [i, name] of names.entries()) {
    const {
      weight,
      range,
      native: { spacing },
      grid: {
        size: [D, H, W],
      },
    } = await load(name);
    if (i < fold.train.length) spacings.push({ low: spacing, high: spacing });
    const doubt = notHounsfield(range);
    if (doubt !== undefined) doubtful.set(name, doubt);
    onCase?.(i + 1, names.length);
    if (!weight || i >= fold.train.length) continue;
    const slices = new Float64Array(D),
      rows = new Float64Array(H);
    for (let d = 0, at = 0; d < D; d++)
      for (let h = 0; h < H; h++)
        for (let w = 0; w < W; w++) {
          const v = weight[at++];
          slices[d] += v;
          rows[h] += v;
        }
    sum.whole += weight.length;
    sum.voxels += slices.reduce((a, b) => a + b, 0);
    sum.slices += D;
    sum.transverse += slices.filter((n) => n === H * W).length;
    sum.rows += H;
    sum.coronal += rows.filter((n) => n === D * W).length;
  }
  const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
  return {
    annotated: {
      voxels: share(sum.voxels, sum.whole),
      transverse: share(sum.transverse, sum.slices),
      coronal: share(sum.coronal, sum.rows),
    },
    spacing: spacingOver(spacings)!,
    doubtful,
    hash: `sha256:${await sumOfDataset(dataset)}`,
  };
}
