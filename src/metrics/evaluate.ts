// SPDX-License-Identifier: MIT
// All metrics of one case: what `eval` does for every pair of files. `summary.ts` puts the cases together.

import { DataError } from '../errors.ts';
import { boundaryF1, boundaryF1PerSlice, boundaryTolerance } from './boundary_f1.ts';
import { assertSameGrid, cropClass, type LabelMap } from './mask.ts';
import { confusion, overlapCounts, overlapScores, type OverlapCounts, type OverlapScores } from './overlap.ts';
import { overlapByDistance, rowDistances, type AnnotatedSlices, type DistanceBin } from './slice_distance.ts';
import { assd, hd95, surfaceDice, surfaceDistances } from './surface.ts';
import { distanceHistogram } from './surface_histogram.ts';

/** A foreground class of the data set. */
export interface LabelClass {
  label: number;
  name: string;
}

/** One case to evaluate. */
export interface EvaluationCase {
  /** Name that pairs the case with the same case of another run. */
  case: string;
  reference_file: string;
  /** Null where there is none: the case is then scored as an empty mask. */
  prediction_file: string | null;
  /** Digests of the two files, kept so that nobody takes the result for that of other files. */
  reference_digest?: string;
  prediction_digest?: string;
  reference: LabelMap;
  prediction: LabelMap;
  /** 1 where the prediction was copied from the labels: those voxels are not scored, and surfaces are undefined. */
  copied?: Uint8Array;
  /** Which planes were annotated in training; leave out for cases that were not trained on. */
  annotated?: AnnotatedSlices;
  /** Labels nobody drew in this case although the organ is there: left out and counted. */
  unlabelled?: readonly number[];
}

export interface EvaluateOptions {
  /** Tolerance of boundary F1 in voxels; by default ceil(0.0075 x diagonal) of the case. */
  theta?: number;
  /** Tolerance of `SurfaceDice`, mm; default 2. */
  surfaceMm?: number;
  /** Reference value of voxels nobody annotated. They do not count; surfaces of such a reference are undefined. */
  ignoreLabel?: number;
}

/** Metrics of one class of one case: fractions, mm and voxels. Null means undefined. */
export interface ClassMetrics extends OverlapCounts, OverlapScores {
  /** Boundary F1 in 3-D. */
  BF: number | null;
  /** Mean of the boundary F1 of the transverse slices, tolerance from the slice diagonal. */
  BF2D: number | null;
  HD95: number | null;
  ASSD: number | null;
  /** At the tolerance asked for. */
  SurfaceDice: number | null;
  SurfaceDice_1mm: number | null;
  SurfaceDice_2mm: number | null;
  SurfaceDice_3mm: number | null;
  volume_ref_mm3: number;
  volume_pred_mm3: number;
}

export interface CaseResult {
  case: string;
  reference_file: string;
  prediction_file: string | null;
  reference_digest?: string;
  prediction_digest?: string;
  /** Voxels that were copied from the labels and not scored; missing where none were. */
  n_copied?: number;
  /** By label; classes unlabelled in this case are missing. */
  metrics: Record<string, ClassMetrics>;
  unlabelled: number[];
  /** Tolerances of boundary F1 used, voxels. */
  theta: number;
  theta_2d: number;
  /** Shares annotated; null where the case has no annotation record. */
  annotated: { transverse: number; coronal: number; voxels: number } | null;
  /** By label, nearest first; null as above. */
  slice_distance: Record<string, DistanceBin[]> | null;
  /** By label: predicted boundary voxels in each bin of `surface_histogram.ts`; classes without both surfaces are missing. */
  surface_histogram: Record<string, number[]>;
}

/** Reference value of voxels that do not count, where the data set has none of its own. */
const NOT_SCORED = 255;

/** The default tolerance of `SurfaceDice`, mm. */
export const DEFAULT_SURFACE_MM = 2;

/** Evaluates every class of one case. */
export function evaluateCase(input: EvaluationCase, classes: readonly LabelClass[], options: EvaluateOptions = {}): CaseResult {
  const { prediction, copied } = input;
  assertSameGrid(input.reference, prediction, input.case);
  const ignoreLabel = options.ignoreLabel ?? (copied ? NOT_SCORED : undefined);
  const reference = copied
    ? { ...input.reference, data: input.reference.data.map((v, i) => (copied[i] ? ignoreLabel! : v)) }
    : input.reference;
  const { theta = boundaryTolerance(reference.size), surfaceMm = DEFAULT_SURFACE_MM } = options;
  const theta2d = options.theta ?? boundaryTolerance(reference.size.slice(1));
  if (!(theta >= 0) || !(surfaceMm >= 0)) {
    throw new DataError(`eval: unusable tolerance, got theta ${theta} voxels and ${surfaceMm} mm, expected numbers from 0.`);
  }
  const table = confusion(reference, prediction, ignoreLabel);
  const sparse = ignoreLabel !== undefined && reference.data.includes(ignoreLabel);
  const rows = input.annotated ? rowDistances(reference.size, input.annotated) : null;

  const result: CaseResult = {
    case: input.case,
    reference_file: input.reference_file,
    prediction_file: input.prediction_file,
    ...(input.reference_digest !== undefined && { reference_digest: input.reference_digest }),
    ...(input.prediction_digest !== undefined && { prediction_digest: input.prediction_digest }),
    ...(copied && { n_copied: copied.reduce((n, v) => n + v, 0) }),
    metrics: {},
    unlabelled: [],
    theta,
    theta_2d: theta2d,
    annotated: rows && input.annotated ? shares(reference, input.annotated, rows) : null,
    slice_distance: rows ? {} : null,
    surface_histogram: {},
  };
  for (const { label } of classes) {
    if (input.unlabelled?.includes(label)) {
      result.unlabelled.push(label);
      continue;
    }
    const counts = overlapCounts(table, label);
    const surfaces = sparse ? null : surfaceMetrics(reference, prediction, label, theta, theta2d, surfaceMm);
    const voxel = reference.spacing[0] * reference.spacing[1] * reference.spacing[2];
    result.metrics[label] = {
      ...overlapScores(counts),
      ...(surfaces?.scores ?? NO_SURFACES),
      ...counts,
      volume_ref_mm3: counts.n_ref * voxel,
      volume_pred_mm3: counts.n_pred * voxel,
    };
    if (surfaces?.histogram) result.surface_histogram[label] = surfaces.histogram;
    if (rows && result.slice_distance)
      result.slice_distance[label] = overlapByDistance(input.reference, prediction, label, rows, options.ignoreLabel);
  }
  return result;
}

type SurfaceScores = Pick<
  ClassMetrics,
  'BF' | 'BF2D' | 'HD95' | 'ASSD' | 'SurfaceDice' | 'SurfaceDice_1mm' | 'SurfaceDice_2mm' | 'SurfaceDice_3mm'
>;

const NO_SURFACES: SurfaceScores = {
  BF: null,
  BF2D: null,
  HD95: null,
  ASSD: null,
  SurfaceDice: null,
  SurfaceDice_1mm: null,
  SurfaceDice_2mm: null,
  SurfaceDice_3mm: null,
};

function surfaceMetrics(
  reference: LabelMap,
  prediction: LabelMap,
  label: number,
  theta: number,
  theta2d: number,
  surfaceMm: number,
): { scores: SurfaceScores; histogram: number[] | null } {
  const pair = cropClass(reference, prediction, label);
  if (pair === null) return { scores: NO_SURFACES, histogram: null };
  const distances = surfaceDistances(pair, reference.spacing);
  // With one mask empty there is no distance, but nothing of the other surface is matched either: surface Dice is 0, as Dice is.
  const within = (mm: number): number => (distances ? surfaceDice(distances, mm) : 0);
  return {
    scores: {
      BF: boundaryF1(pair, theta)?.f1 ?? null,
      BF2D: boundaryF1PerSlice(pair, theta2d),
      HD95: distances && hd95(distances),
      ASSD: distances && assd(distances),
      SurfaceDice: within(surfaceMm),
      SurfaceDice_1mm: within(1),
      SurfaceDice_2mm: within(2),
      SurfaceDice_3mm: within(3),
    },
    histogram: distances && distanceHistogram(distances.predictionToReference),
  };
}

function shares(
  { size }: LabelMap,
  annotated: AnnotatedSlices,
  rows: Uint16Array,
): { transverse: number; coronal: number; voxels: number } {
  return {
    transverse: new Set(annotated.transverse).size / size[0],
    coronal: new Set(annotated.coronal).size / size[1],
    voxels: rows.reduce((n, distance) => n + Number(distance === 0), 0) / rows.length,
  };
}
