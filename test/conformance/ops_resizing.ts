// SPDX-License-Identifier: MIT
// Resize, nearest and linear.
import type { Tensor } from '../../src/engine/tensor.ts';
import { slice } from '../../src/ops/layout.ts';
import { resize, type ResizeOptions } from '../../src/ops/resize.ts';
import { channelsFirst, channelsLast } from './channels.ts';
import { Skip, type Adapters, type Call } from './call.ts';

const ROUNDING: Readonly<Record<string, ResizeOptions['rounding']>> = {
  round_prefer_floor: 'half_down',
  round_prefer_ceil: 'half_up',
  floor: 'floor',
  ceil: 'ceil',
};

/** Output size and scale of every axis: one of them is given, for all axes or for `axes`. */
async function extents(c: Call): Promise<{ sizes: number[]; scales: number[] }> {
  const shape = c.shape(0);
  const axes = c.list('axes')?.map((a) => (a < 0 ? a + shape.length : a)) ?? shape.map((_, i) => i);
  const scales = shape.map(() => 1);
  const sizes = [...shape];
  const given = await c.numbers(c.opset < 11 ? 1 : 2);
  if (given && given.length > 0) {
    axes.forEach((a, i) => {
      scales[a] = given[i]!;
      sizes[a] = Math.floor(shape[a] * given[i]);
    });
    return { sizes, scales };
  }
  const wanted = (await c.numbers(3)) ?? [];
  const ratios = axes.map((a, i) => wanted[i] / shape[a]);
  const policy = c.text('keep_aspect_ratio_policy', 'stretch');
  const one = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  axes.forEach((a, i) => {
    scales[a] = policy === 'stretch' ? ratios[i] : one;
    sizes[a] = policy === 'stretch' ? wanted[i] : Math.round(shape[a] * one);
  });
  return { sizes, scales };
}

async function resized(c: Call): Promise<Tensor> {
  const mode = c.text('mode', 'nearest');
  if (mode === 'cubic') throw new Skip('cubic resize');
  if (c.flag('antialias')) throw new Skip('antialiased resize');
  const coordinates = c.text('coordinate_transformation_mode', c.opset < 11 ? 'asymmetric' : 'half_pixel');
  if (coordinates === 'tf_crop_and_resize' || coordinates === 'tf_half_pixel_for_nn') throw new Skip(`resize by ${coordinates}`);
  const { sizes, scales } = await extents(c);
  if (sizes.slice(0, 2).some((d, i) => d !== c.shape(0)[i]) || sizes.length > 5)
    throw new Skip('resize of the batch, the channels or more than three axes');
  if (coordinates === 'align_corners' && sizes.some((d, i) => d !== c.shape(0)[i] * scales[i]))
    throw new Skip('resize with aligned corners to a fractional size');
  // pytorch_half_pixel: half_pixel, but an axis of one output looks at the first input.
  const first = coordinates === 'pytorch_half_pixel' ? sizes.flatMap((d, i) => (i > 1 && d === 1 ? [i] : [])) : [];
  first.forEach((i) => {
    scales[i] = 1;
  });
  const x = first.length > 0 ? slice(c.x(0), { axis: first, start: first.map(() => 0), end: first.map(() => 1) }) : c.x(0);
  return channelsFirst(
    resize(channelsLast(x), sizes.slice(2), {
      mode: mode as 'nearest' | 'linear',
      scale: scales.slice(2),
      alignCorners: coordinates === 'align_corners',
      coordinates: coordinates === 'asymmetric' || coordinates === 'half_pixel_symmetric' ? coordinates : 'half_pixel',
      rounding: ROUNDING[c.text('nearest_mode', c.opset < 11 ? 'floor' : 'round_prefer_floor')],
    }),
  );
}

export const resizing: Adapters = { Resize: resized };
