// SPDX-License-Identifier: MIT
/**
 * `voxelgrad`: the engine, its ops, layers and optimisers. Runs in Node and, as dist/voxelgrad.browser.js, in a browser.
 * @module voxelgrad
 */
/// <reference types="@webgpu/types" preserve="true" />

import './methods_of_tensor.ts';

export * from './errors.ts';
export type { Plane } from './axes.ts';

export type { Caps, DeviceInfo, TunedTiles } from './gpu/caps.ts';
export type { DebugAspect } from './gpu/debug.ts';
export { currentDevice, openDevice, type Device, type DeviceOptions, type MemoryUse } from './gpu/device.ts';
export type { KernelDef } from './gpu/kernel.ts';
export type { KernelTime } from './gpu/profile.ts';

export { backward, type Grads } from './engine/autograd.ts';
export { lift, plan, type Lifted, type LiftOptions, type Place, type Plan, type PlannedCall } from './engine/lift.ts';
export { fromF16, spec, toF16, type DType, type HostArray, type HostOf, type Spec } from './engine/dtype.ts';
export {
  defineOp,
  dispatch,
  expectDType,
  grid1d,
  once,
  type Dispatch,
  type LowerContext,
  type OpDef,
  type Ref,
  type Thunk,
  type VjpContext,
} from './engine/op.ts';
export {
  compile,
  evaluate,
  type CompileOptions,
  type Example,
  type Feed,
  type FeedOf,
  type Inputs,
  type Program,
  type ProgramReport,
} from './engine/program.ts';
export { compileFor, type ProgramsFor } from './engine/compile_for.ts';
export { print } from './engine/print.ts';
export { full, tensor, Tensor, zeros, type Nested } from './engine/tensor.ts';
export { scope } from './engine/scope.ts';
export { hostScalars, named, noGrad } from './engine/trace.ts';

export type { Activation } from './ops/activation.ts';
export { attention, attentionPacked, type AttentionOptions } from './ops/attention.ts';
export { squeeze, unsqueeze } from './ops/axes.ts';
export { batchNorm, type BatchNormOptions } from './ops/batch_norm.ts';
export { bilateralAdjacency, bilateralGraphConv } from './ops/bilateral_graph.ts';
export { conv2d, conv3d, type ConvOptions } from './ops/conv.ts';
export { convTranspose2d, convTranspose3d, type ConvTransposeOptions } from './ops/conv_transpose.ts';
export { arange, eye, linspace, ones, tril, triu } from './ops/create.ts';
export { cumprod, cumsum, type CumsumOptions } from './ops/cumsum.ts';
export { edgeConvGather, neighbourMax } from './ops/edge_conv.ts';
export { einsum } from './ops/einsum.ts';
export { expand } from './ops/expand.ts';
export { frequencyStatistics } from './ops/frequency_statistics.ts';
export { embedding, gather, gatherRows, indexSelect, scatterAdd } from './ops/gather.ts';
export { globalResponseNorm } from './ops/global_response_norm.ts';
export { graphConv } from './ops/graph_conv.ts';
export { gridSample, type GridSampleOptions } from './ops/grid_sample.ts';
export { groupNorm, instanceNorm, type GroupNormOptions } from './ops/group_norm.ts';
export { concat, flip, pad, roll, slice, split, stack, type PadOptions, type SliceOptions } from './ops/layout.ts';
export { all, any, logicalAnd, logicalNot, logicalOr, logicalXor } from './ops/logic.ts';
export { linear, matmul, type MatmulOptions } from './ops/matmul.ts';
export { logsumexp, norm, std, variance, type VarianceOptions } from './ops/moments.ts';
export { celu, geluTanh, hardSigmoid, hardSwish, mish, prelu, selu, softsign, swish } from './ops/nonlinear.ts';
export { l2Normalize, layerNorm, rmsNorm } from './ops/norm.ts';
export { oneHot } from './ops/one_hot.ts';
export { permute, transpose } from './ops/permute.ts';
export * from './ops/pointwise.ts';
export {
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  globalAvgPool,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  maxPoolWithIndices,
  type AvgPoolOptions,
} from './ops/pool.ts';
export type { PoolOptions } from './ops/pool_axes.ts';
export { putRows } from './ops/put_rows.ts';
export { dropout, manualSeed, normal, rand, randn, RandomSource, uniform, type RandomOptions } from './ops/random.ts';
export {
  channelShuffle,
  depthToSpace,
  repeat,
  repeatInterleave,
  slicesToVolume,
  spaceToDepth,
  tile,
  volumeToSlices,
  type BlockOptions,
} from './ops/rearrange.ts';
export { argmax, argmin, countNonzero, max, mean, min, prod, sum, sumAbs, sumSquares, type ReduceOptions } from './ops/reduce.ts';
export { relativeAttention } from './ops/relative_attention.ts';
export { reshape } from './ops/reshape.ts';
export { resize, type ResizeOptions } from './ops/resize.ts';
export { sampleVoxel } from './ops/sample_voxel.ts';
export { logSoftmax, softmax } from './ops/softmax.ts';
export { interpolationPlan, tableInterpolate, type InterpolationPlan } from './ops/table_interpolate.ts';
export { maxWithIndex, minWithIndex, topk } from './ops/topk.ts';
export { argsort, bincount, sort, type BincountOptions, type SortOptions } from './ops/sort.ts';
export { tuneShape, type Tuned } from './ops/tune.ts';
export { fold, foldAxis, unfold, unfoldAxis, windowPartition, windowReverse, type FoldOptions, type UnfoldOptions } from './ops/windows.ts';
export { windowAttention, type WindowAttentionOptions } from './ops/window_attention.ts';

export { crossEntropy, dice, focal, nll, type ClassOptions, type DiceOptions, type FocalOptions } from './losses/classes.ts';
export { bce, bceWithLogits, huber, kl, l1, mse, smoothL1, type WeightedOptions } from './losses/elementwise.ts';
export type { LossOptions, Reduction } from './losses/reduction.ts';

export * as init from './nn/init.ts';
export {
  CELU,
  ELU,
  GELU,
  Hardsigmoid,
  Hardswish,
  LeakyReLU,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  SELU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Softsign,
  StarReLU,
  Tanh,
} from './nn/activations.ts';
export { Embedding } from './nn/embedding.ts';
export { Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from './nn/convolution.ts';
export { BatchNorm, CBR, LayerNorm, Linear, Sequential } from './nn/layers.ts';
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AvgPool1d,
  AvgPool2d,
  AvgPool3d,
  Flatten,
  Identity,
  MaxPool1d,
  MaxPool2d,
  MaxPool3d,
  Upsample,
  type UpsampleOptions,
} from './nn/pooling.ts';
export { GRU, LSTM, type RecurrentOptions } from './nn/recurrent.ts';
export { MultiheadAttention, TransformerEncoderLayer, type AttentionMasks, type EncoderLayerOptions } from './nn/transformer.ts';
export { Dropout, Dropout2d, Dropout3d, DropPath, useRandom } from './nn/dropout.ts';
export { BatchStatisticsNorm, GlobalResponseNorm, GroupNorm, InstanceNorm, RMSNorm } from './nn/norms.ts';
export { SoftMoE } from './nn/soft_moe.ts';
export { Module, type LoadedEntry, type StateDict, type StateEntry } from './nn/module.ts';
export { summary, type Summary, type SummaryRow } from './nn/summary.ts';
export { Parameter, type ParameterOptions } from './nn/parameter.ts';
export { encodeSafetensors, parseSafetensors, type HostTensor, type SafetensorsFile, type StoredTensor } from './files/safetensors.ts';
export { WeightAverage } from './optim/average.ts';
export { clipGradNorm, clipGradValue } from './optim/clip.ts';
export { adam, adamw, decayGroups, lion, rmsprop, sgd, type Optimiser } from './optim/optimiser.ts';
export type { OptimiserOptions, ParameterGroup } from './optim/options.ts';
export { load, save } from './optim/saved.ts';
export { cosine, multiStep, oneCycle, poly, stepDecay, warmUp, type Schedule } from './optim/schedules.ts';

export { DataLoader, type Batch, type LoaderOptions, type Sample, type SampleSource } from './feed/loader.ts';
export { serveSamples, type SamplePort, type SampleWorker } from './feed/worker.ts';
