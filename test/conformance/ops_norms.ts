// SPDX-License-Identifier: MIT
// Normalisation and softmax. ONNX has channels second, the engine last.
import { numel } from '../../src/engine/dtype.ts';
import { full, type Tensor } from '../../src/engine/tensor.ts';
import { batchNorm } from '../../src/ops/batch_norm.ts';
import { groupNorm, instanceNorm } from '../../src/ops/group_norm.ts';
import { layerNorm, rmsNorm } from '../../src/ops/norm.ts';
import { addScalar, mul, mulScalar, powScalar, rsqrt, square, sub } from '../../src/ops/pointwise.ts';
import { avgPool1d } from '../../src/ops/pool.ts';
import { mean } from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { logSoftmax, softmax } from '../../src/ops/softmax.ts';
import { channelsFirst, channelsLast } from './channels.ts';
import { Skip, type Adapter, type Adapters, type Call } from './call.ts';

const EPS = 1e-5;

function batch(c: Call): Tensor {
  if (c.flag('training_mode') || c.outputs.filter(Boolean).length > 1)
    throw new Skip('batch norm in training: the running variance is the biased one, PyTorch keeps the unbiased');
  const [scale, bias, mu, variance] = [c.x(1), c.x(2), c.x(3), c.x(4)];
  return channelsFirst(batchNorm(channelsLast(c.x(0)), scale, bias, mu, variance, { training: false, eps: c.number('epsilon', EPS) }));
}

function group(c: Call): Tensor {
  const x = channelsLast(c.x(0));
  const groups = c.number('num_groups', 1);
  if (c.shape(1)[0] !== x.shape.at(-1)) throw new Skip('group norm with one weight a group');
  return channelsFirst(groupNorm(x, c.x(1), c.x(2), { groups, eps: c.number('epsilon', EPS) }));
}

/** x with everything from `axis` on as one axis. */
function rows(c: Call): { x: Tensor; n: number; axis: number } {
  const axis = c.axis(-1);
  const n = numel(c.shape(0).slice(axis));
  return { x: reshape(c.x(0), [numel(c.shape(0).slice(0, axis)), n]), n, axis };
}

function layer(c: Call): Tensor[] {
  const { x, n, axis } = rows(c);
  const eps = c.number('epsilon', EPS);
  const weight = (i: number, otherwise: number): Tensor => reshape(c.optional(i) ?? full([n], otherwise), [n]);
  const y = reshape(layerNorm(x, weight(1, 1), weight(2, 0), { eps }), c.shape(0));
  if (c.outputs.length === 1) return [y];
  const kept = c.shape(0).map((d, i) => (i < axis ? d : 1));
  const mu = mean(x, { axes: 1, keepDims: true });
  const variance = mean(square(sub(x, mu)), { axes: 1, keepDims: true });
  return [y, reshape(mu, kept), reshape(rsqrt(addScalar(variance, eps)), kept)];
}

function rms(c: Call): Tensor {
  const { x, n } = rows(c);
  return reshape(rmsNorm(x, reshape(c.x(1), [n]), { eps: c.number('epsilon', EPS) }), c.shape(0));
}

/** Before operator set 13 everything from `axis` on was one axis. */
function soft(f: typeof softmax): Adapter {
  return (c) => {
    if (c.opset >= 13) return f(c.x(0), c.number('axis', -1));
    const axis = c.axis(1);
    return reshape(f(reshape(c.x(0), [numel(c.shape(0).slice(0, axis)), numel(c.shape(0).slice(axis))])), c.shape(0));
  };
}

/** x / (bias + alpha mean of squares of `size` channels around)^beta */
function localResponse(c: Call): Tensor {
  const [n, channels, ...rest] = c.shape(0) as [number, number, ...number[]];
  const size = c.number('size', 1);
  const x = reshape(c.x(0), [n, channels, numel(rest)]); // channels are what the windows run along
  const padding = [[Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)]] as const;
  const around = avgPool1d(square(x), { kernel: size, stride: 1, padding });
  const divisor = powScalar(addScalar(mulScalar(around, c.number('alpha', 1e-4)), c.number('bias', 1)), -c.number('beta', 0.75));
  return reshape(mul(x, divisor), c.shape(0));
}

export const norms: Adapters = {
  BatchNormalization: batch,
  GroupNormalization: group,
  LayerNormalization: layer,
  RMSNormalization: rms,
  LRN: localResponse,
  InstanceNormalization: (c) => channelsFirst(instanceNorm(channelsLast(c.x(0)), c.x(1), c.x(2), { eps: c.number('epsilon', EPS) })),
  Softmax: soft(softmax),
  LogSoftmax: soft(logSoftmax),
};
