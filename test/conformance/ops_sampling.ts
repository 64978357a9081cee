// SPDX-License-Identifier: MIT
// GridSample, nearest and linear, as a composition: positions by pointwise ops, corners by gather.
import { full, tensor, type Tensor } from '../../src/engine/tensor.ts';
import { expand } from '../../src/ops/expand.ts';
import { gather } from '../../src/ops/gather.ts';
import { slice } from '../../src/ops/layout.ts';
import { add, addScalar, cast, clamp, equal, floor, mul, mulScalar, neg, round, sub } from '../../src/ops/pointwise.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { Skip, type Adapters, type Call } from './call.ts';

/** One neighbour along an axis: where it lies (inside) and how much it counts. */
interface Neighbour {
  readonly at: Tensor;
  readonly weight: Tensor;
}

/** Neighbours of positions in -1 ... 1 along an axis of n elements. */
function neighbours(
  position: Tensor,
  n: number,
  { linear, corners, border }: { linear: boolean; corners: boolean; border: boolean },
): Neighbour[] {
  const scaled = corners ? mulScalar(addScalar(position, 1), (n - 1) / 2) : addScalar(mulScalar(addScalar(position, 1), n / 2), -0.5);
  const p = border ? clamp(scaled, 0, n - 1) : scaled;
  const neighbour = (i: Tensor, weight: Tensor): Neighbour => {
    const inside = clamp(i, 0, n - 1);
    return { at: inside, weight: mul(weight, cast(equal(i, inside), 'f32')) };
  };
  if (!linear) return [neighbour(round(p), full([], 1))];
  const low = floor(p);
  const share = sub(p, low);
  return [neighbour(low, addScalar(neg(share), 1)), neighbour(addScalar(low, 1), share)];
}

function sample(c: Call): Tensor {
  const mode = c.text('mode', 'linear');
  const padding = c.text('padding_mode', 'zeros');
  if (mode === 'cubic' || mode === 'bicubic') throw new Skip('cubic sampling');
  if (padding === 'reflection') throw new Skip('sampling with a reflected border');
  const [x, grid] = [c.x(0), c.x(1)];
  const [n, channels, ...sizes] = x.shape as [number, number, ...number[]];
  const out = grid.shape.slice(1, -1);
  const count = out.reduce((a, b) => a * b, 1);
  const flat = reshape(x, [n, channels, x.size / n / channels]);
  const options = { linear: mode !== 'nearest', corners: c.flag('align_corners'), border: padding === 'border' };
  // The grid's last axis is x, y, z: the reverse of the shape's order.
  const axes = sizes.map((size, i) => {
    const k = sizes.length - 1 - i;
    return neighbours(reshape(slice(grid, { axis: -1, start: k, end: k + 1 }), [n, 1, count]), size, options);
  });
  let corners: Neighbour[] = [{ at: full([n, 1, count], 0), weight: tensor([1], { shape: [] }) }];
  axes.forEach((list, i) => {
    corners = corners.flatMap((corner) =>
      list.map(({ at, weight }) => ({ at: add(mulScalar(corner.at, sizes[i]), at), weight: mul(corner.weight, weight) })),
    );
  });
  const terms = corners.map(({ at, weight }) => mul(gather(flat, expand(cast(at, 'u32'), [n, channels, count]), { axis: 2 }), weight));
  return reshape(terms.reduce(add), [n, channels, ...out]);
}

export const sampling: Adapters = { GridSample: sample };
