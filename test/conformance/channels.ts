// SPDX-License-Identifier: MIT
// ONNX's tensors have channels second, the engine's last.
import type { Tensor } from '../../src/engine/tensor.ts';
import { permute } from '../../src/ops/permute.ts';

/** [N, C, spatial...] to [N, spatial..., C]; convolution weights likewise. */
export const channelsLast = (x: Tensor): Tensor => permute(x, [0, ...x.shape.map((_, i) => i).slice(2), 1]);
/** [N, spatial..., C] to [N, C, spatial...] */
export const channelsFirst = (x: Tensor): Tensor => permute(x, [0, x.shape.length - 1, ...x.shape.map((_, i) => i).slice(1, -1)]);
