// SPDX-License-Identifier: MIT
// What a report is made of: plain data, gathered from a run folder by the caller. Everything but the title may be missing; the
// section it feeds is then left out.

import type { Triple } from '../axes.ts';
import type { Run } from '../metrics/compare.ts';
import type { Summary } from '../metrics/summary.ts';

export interface ReportInput {
  /** For example "SA-Net on LIDC nodules, transverse annotation". */
  title: string;
  /** When the report was made, as it should be printed; the report itself reads no clock, so that it can be repeated byte for byte. */
  date?: string;
  /** What was annotated in training. */
  annotation?: AnnotationFacts;
  /** The headline evaluation (the ensemble's, on the held-out cases). */
  summary?: Summary;
  /** What the evaluated cases are, for example "53 held-out nodules of 31 patients". */
  evaluated?: string;
  /** The output that the headline is about, by its name in `networks`. */
  headline?: string;
  /** What a reader must know before the numbers; shown first. */
  notices?: string[];
  /** What to measure the headline against. */
  references?: ReferenceResult[];
  /** Which networks the ensemble leaves out, and why, in words; absent where it leaves none. */
  ensemble?: string;
  /** Each network and the ensemble on the same cases. */
  networks?: { name: string; summary: Summary }[];
  /** An evaluation of training cases, whose annotated slices are known (the `label` verb); by default `summary`. */
  trainingSummary?: Summary;
  /** Rows of log.jsonl. */
  log?: LogRow[];
  /** Volumes to show; `chooseOverlayCases` says which ones to load. */
  overlays?: OverlayCase[];
  /** Text of regl, which lets the overlays' surfaces be turned; without it there are still pictures of them alone. */
  viewer?: string;
  /** Ablations, annotation schemes, folds, seeds. The first run is the one the others are compared with. */
  runs?: Run[];
  stages?: Stage[];
  machine?: Machine;
  provenance?: Provenance;
}

export interface AnnotationFacts {
  /** `transverse`, `both`, `budget` or words. */
  scheme: string;
  /** Fractions, 0 to 1. */
  voxels?: number;
  transverse?: number;
  coronal?: number;
}

/** A result to compare with: evaluated here (`summary`) or quoted (`dice`, `boundaryF1` in per cent). */
export interface ReferenceResult {
  role: 'upper bound' | 'baseline' | 'published';
  name: string;
  summary?: Summary;
  dice?: number;
  boundaryF1?: number;
  /** For example "other data, other splits". */
  note?: string;
}

/** One row of log.jsonl; series are named by the trainer and drawn as they come ("n3", "n2t", "ensemble"). */
export interface LogRow {
  iteration: number;
  loss?: Record<string, number>;
  /** Validation Dice, 0 to 1. */
  dice?: Record<string, number>;
  lr?: Record<string, number>;
  /** Share of voxels on which networks agree, 0 to 1, for example "2D planes", "2D and SAM". */
  agreement?: Record<string, number>;
  /** 1 where no label was learnt yet, so that the loss is another one. */
  pretrains?: number;
  /** True on the first row after training was resumed from a checkpoint. */
  resumed?: boolean;
}

/** A case to draw. Arrays are [D, H, W], W fastest, all on one grid. */
export interface OverlayCase {
  /** Name in `summary.metric_per_case`. */
  case: string;
  size: Readonly<Triple>;
  /** mm, [D, H, W]. */
  spacing: Readonly<Triple>;
  image: ArrayLike<number>;
  reference: Uint8Array;
  prediction: Uint8Array;
  /** Intensities drawn black and white; by default the 1st and 99th percentile of what is shown. */
  window?: { low: number; high: number; unit?: string };
  /**
   * 'RAS': indices grow towards superior (D), anterior (H) and right (W). The panels then follow the radiological convention and carry
   * letters.
   */
  orientation?: 'RAS';
}

export interface Stage {
  name: string;
  seconds: number;
  /** Peak GPU memory held, bytes. */
  peakBytes?: number;
}

export interface Machine {
  adapter?: string;
  driver?: string;
  /** For example "Vulkan". */
  backend?: string;
  /** Processor, cores, memory of the host. */
  host?: string;
  /** WebGPU limits requested. */
  limits?: Record<string, number>;
}

export interface Provenance {
  /** `hash` with its algorithm, for example "sha256:1f0c..."; `source` a citation or address. */
  datasets?: { name: string; licence?: string; hash?: string; cases?: number; source?: string }[];
  /** The command that repeats the run. */
  command?: string;
  seeds?: Record<string, number>;
  version?: string;
  commit?: string;
  /** Runtime, for example "Node 20.20, webgpu 0.6.2". */
  runtime?: string;
  plan?: unknown;
  /** What a reader must know before quoting a number. */
  limitations?: string[];
}
