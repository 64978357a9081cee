// SPDX-License-Identifier: MIT
/**
 * `voxelgrad/sanet` in a page, with the engine: the models, their data, their training, and the metrics of their results. A data set is
 * what a person dropped, a run lies in the origin's private file system; training belongs into a worker.
 * @module voxelgrad/sanet in a page
 */
/// <reference types="@webgpu/types" preserve="true" />

// The engine comes along: a second bundle beside this one would have tensors of its own.
export * from './index.ts';
export { SAM_PRESETS, type SamConfig, type SamPreset } from './models/sam_med3d/config.ts';
export { annotationWeight, type Annotations, type Planes } from './data/annotations.ts';
export { loadCase, type Dataset } from './data/dataset.ts';
export { makeFolds, type Fold } from './data/folds.ts';
export type { Geometry } from './data/geometry.ts';
export type { Triple } from './axes.ts';
export { makePhantom, type Phantom, type PhantomOptions } from './data/phantom.ts';
export { fromRas, toRas } from './data/orientation.ts';
export { prepareCase, type PreparedCase } from './data/sample.ts';
export { sparsePlanes, type SparseMode } from './data/sparse_planes.ts';
export type { Volume } from './data/volume.ts';
export { openDataset, pageSource } from './io/browser/dataset.ts';
export { withRun } from './io/browser/run.ts';
export { readVolume, volumeBytes, type PageFile } from './io/browser/volume.ts';

export { restoreNetworks, type Checkpoint, type RunState } from './train/checkpoint.ts';
export { fingerprintOf } from './train/fingerprint.ts';
export { onStoredGrid, predictCase, prepareScan, segment } from './train/inference.ts';
export type { LogEntry } from './train/run_log.ts';
export { assertNoRun, tracesIn, type RunStore } from './train/run_store.ts';
export { train, type Progress, type TrainOptions, type TrainOutcome } from './train/loop.ts';
export type { Method, Networks, RoiPredictor } from './methods/method.ts';
export { addMethod, METHODS, methodOf } from './methods/methods.ts';
export { supervised, type Segmenter, type SupervisedFields, type SupervisedOptions } from './methods/supervised.ts';
export { StepContext } from './methods/step_context.ts';
export { compileVolumeStep, type VolumeStepOptions } from './methods/volume_step.ts';
export { densePredictor } from './methods/dense_predictor.ts';
export { buildNetworks, makeNetworks, restoreFrom } from './train/networks.ts';
export { parsePlan } from './train/plan.ts';
export { PRESETS, type Plan, type Preset } from './methods/plan.ts';
export { inferPlan, presetPlan } from './train/presets.ts';
export type { SanetPlan } from './methods/sanet/plan.ts';

export { compareRuns, type Comparison } from './metrics/compare.ts';
export { evaluateCase, type CaseResult, type EvaluateOptions, type EvaluationCase } from './metrics/evaluate.ts';
export { summarise, type Summary } from './metrics/summary.ts';
