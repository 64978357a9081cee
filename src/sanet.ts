// SPDX-License-Identifier: MIT
/**
 * `voxelgrad/sanet`: the models, their data, their training, and the metrics of their results. For Node.
 * @module voxelgrad/sanet
 */
/// <reference types="@webgpu/types" preserve="true" />

export { Bottleneck, ResNet, type ResNetOptions } from './models/resnet.ts';
export { SAM_PRESETS, type SamConfig, type SamPreset } from './models/sam_med3d/config.ts';
export { SamMed3D } from './models/sam_med3d/sam.ts';
export type { Clicks } from './models/sam_med3d/prompt_encoder.ts';
export { Net2D, type Net2DConfig, type Net2DOutput } from './models/sanet/net2d.ts';
export { parsePth } from './files/pth.ts';

export { readAnnotations } from './io/node/dataset/open.ts';
export { annotationWeight, type Annotations, type Planes } from './data/annotations.ts';
export { checkDataset, type CheckOptions, type CheckResult } from './io/node/dataset/check.ts';
export { loadCase, type Dataset } from './data/dataset.ts';
export { openDataset } from './io/node/dataset/open.ts';
export { makeFolds, type Fold } from './data/folds.ts';
export { importLidcVoi } from './io/node/dataset/import/lidc_voi.ts';
export { importLuna16 } from './io/node/dataset/import/luna16.ts';
export { importPairs } from './io/node/dataset/import/pairs.ts';
export type { Geometry } from './data/geometry.ts';
export type { Triple } from './axes.ts';
export { makePhantom, type Phantom, type PhantomOptions } from './data/phantom.ts';
export { writePhantomDataset } from './io/node/dataset/phantoms.ts';
export { fromRas, toRas } from './data/orientation.ts';
export { prepareCase, type PreparedCase } from './data/sample.ts';
export { sparsify } from './io/node/dataset/sparsify.ts';
export { type SparseMode } from './data/sparse_planes.ts';
export type { Volume } from './data/volume.ts';
export { readVolume, writeVolume } from './io/node/volume.ts';

export { readCheckpoint, saveCheckpoint } from './io/node/run/checkpoint.ts';
export { restoreNetworks, restoreOptimisers, type Checkpoint, type RunState } from './train/checkpoint.ts';
export { onStoredGrid, predictCase, prepareScan, segment } from './train/inference.ts';
export { boundaryLoss, boundaryTarget, oneHotOf, segLoss } from './losses/segmentation.ts';
export { evaluateRun, type EvaluateRunOptions } from './io/node/run/evaluate.ts';
export { readLog } from './io/node/run/log.ts';
export { type LogEntry } from './train/run_log.ts';
export { train } from './io/node/run/train.ts';
export { type Progress, type TrainOptions, type TrainOutcome } from './train/loop.ts';
export type { Method, Networks, Optimisers, RoiPredictor, Step, StepResult } from './methods/method.ts';
export { addMethod, METHODS, methodOf } from './methods/methods.ts';
export { supervised, type Segmenter, type SupervisedFields, type SupervisedOptions } from './methods/supervised.ts';
export { StepContext } from './methods/step_context.ts';
export { compileVolumeStep, type VolumeStepOptions } from './methods/volume_step.ts';
export { densePredictor } from './methods/dense_predictor.ts';
export { buildNetworks, buildOptimisers, makeNetworks } from './train/networks.ts';
export { restoreRun } from './io/node/run/checkpoint.ts';
export { parsePlan } from './train/plan.ts';
export { PRESETS, type Plan, type Preset } from './methods/plan.ts';
export { Predictor } from './methods/sanet/predictor.ts';
export { fingerprintOf } from './train/fingerprint.ts';
export { inferPlan, presetPlan } from './train/presets.ts';
export type { SanetPlan } from './methods/sanet/plan.ts';
export { compileStep, stepExample } from './methods/sanet/step.ts';

export { compareRuns, type Comparison } from './metrics/compare.ts';
export { evaluateCase, type CaseResult, type EvaluateOptions, type EvaluationCase } from './metrics/evaluate.ts';
export { summarise, type Summary } from './metrics/summary.ts';
export type { ReportInput } from './report/input.ts';
export { renderReport } from './report/report.ts';
