// SPDX-License-Identifier: MIT
// A small evaluation and a report input that uses every section.

import type { Triple } from '../../src/axes.ts';
import { evaluateCase, type LabelClass } from '../../src/metrics/evaluate.ts';
import type { LabelMap } from '../../src/metrics/mask.ts';
import { summarise, type Summary } from '../../src/metrics/summary.ts';
import { chooseOverlayCases } from '../../src/report/overlay_choice.ts';
import type { ReportInput } from '../../src/report/input.ts';

const GRID: Readonly<Triple> = [8, 14, 14],
  SPACING: Readonly<Triple> = [2, 1, 1];

export function block(from: Readonly<Triple>, to: Readonly<Triple>, label = 1, into?: LabelMap): LabelMap {
  const map = into ?? { data: new Uint8Array(GRID[0] * GRID[1] * GRID[2]), size: GRID, spacing: SPACING };
  for (let z = from[0]; z < to[0]; z++)
    for (let y = from[1]; y < to[1]; y++) for (let x = from[2]; x < to[2]; x++) map.data[(z * GRID[1] + y) * GRID[2] + x] = label;
  return map;
}

/** Seven cases: `grown` voxels too large each, case 5 missed; with two classes the second is unlabelled in case 0. */
export function evaluation(
  classes: LabelClass[],
  grown = 1,
  prefix = 'case',
): { summary: Summary; maps: Map<string, { reference: LabelMap; prediction: LabelMap }> } {
  const maps = new Map<string, { reference: LabelMap; prediction: LabelMap }>();
  const results = [0, 1, 2, 3, 4, 5, 6].map((i) => {
    const reference = block([2, 4, 4], [6, 8, 8 + (i % 2)]);
    const prediction = i === 5 ? block([0, 0, 0], [0, 0, 0]) : block([2, 4, 4], [6, 8 + grown, 8 + (i % 3)]);
    if (classes.length > 1) {
      block([0, 0, 0], [8, 3, 3], 2, reference);
      block([0, 0, 0], [8, 3, 3 - (i % 2)], 2, prediction);
    }
    const name = `${prefix} ${i}`;
    maps.set(name, { reference, prediction });
    return evaluateCase(
      {
        case: name,
        reference_file: `ref/${i}.nii.gz`,
        prediction_file: `pred/${i}.nii.gz`,
        reference,
        prediction,
        annotated: { transverse: [i % 3, 3 + (i % 3)] },
        unlabelled: i === 0 && classes.length > 1 ? [2] : [],
      },
      classes,
    );
  });
  return { summary: summarise(results, classes, { resamples: 50 }), maps };
}

/** Everything at once; every name a user can choose is `evil` plus something. */
export function fullInput(evil = ''): ReportInput {
  const classes: LabelClass[] = [
    { label: 1, name: `${evil}nodule` },
    { label: 2, name: `${evil}vessel` },
  ];
  const { summary, maps } = evaluation(classes, 1, `${evil}case`);
  const other = evaluation(classes, 2, `${evil}case`).summary;
  return {
    title: `${evil}title`,
    date: `${evil}1 May 2026`,
    evaluated: `${evil}seven cases`,
    annotation: { scheme: `${evil}transverse`, voxels: 1 / 3, transverse: 1 / 3 },
    summary,
    references: [
      { role: 'baseline', name: `${evil}baseline`, summary: other },
      { role: 'published', name: `${evil}paper`, dice: 76, boundaryF1: 78.7, note: `${evil}note` },
    ],
    networks: [{ name: `${evil}network`, summary }],
    log: [1, 2, 3, 4].map((iteration) => ({
      iteration,
      loss: { [`${evil}net`]: 1 / iteration },
      dice: { [`${evil}net`]: 0.2 * iteration },
      lr: { [`${evil}net`]: 1e-3 / iteration },
      agreement: { [`${evil}planes`]: 0.9 },
      pretrains: Number(iteration <= 2),
      resumed: iteration === 3,
    })),
    overlays: chooseOverlayCases(summary).map((name) => ({
      case: name,
      size: GRID,
      spacing: SPACING,
      image: Float32Array.from(maps.get(name)!.reference.data, (v, i) => v * 100 + (i % 7)),
      reference: maps.get(name)!.reference.data,
      prediction: maps.get(name)!.prediction.data,
      orientation: 'RAS',
      window: { low: -10, high: 200, unit: `${evil}HU` },
    })),
    runs: [
      { name: `${evil}full`, summaries: [summary] },
      { name: `${evil}ablated`, summaries: [other] },
    ],
    stages: [
      { name: `${evil}training`, seconds: 3723, peakBytes: 3 * 2 ** 30 },
      { name: `${evil}prediction`, seconds: 8.25 },
    ],
    machine: { adapter: `${evil}adapter`, driver: `${evil}driver`, limits: { [`${evil}maxBufferSize`]: 2 ** 31 } },
    provenance: {
      datasets: [{ name: `${evil}data`, licence: `${evil}CC BY`, hash: `${evil}sha256:00`, cases: 7, source: `${evil}source` }],
      command: `${evil}voxelgrad train`,
      seeds: { [`${evil}seed`]: 1 },
      version: `${evil}0.1.0`,
      plan: { [`${evil}key`]: `${evil}value` },
      limitations: [`${evil}limit`],
    },
  };
}
