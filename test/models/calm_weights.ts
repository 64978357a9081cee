// The oracle's rule for weights (NAMES.md section 4) with calm batch norms (weights 0.5, biases 1): few ReLUs near their kink, so
// that f32 can follow float64 for ten steps.
import { numel } from '../../src/engine/dtype.ts';
import type { Module } from '../../src/nn/module.ts';

type Draw = (seed: number, drawn: { shape: number[]; op: number; offset: number; scale: number }) => Float32Array;

function rule(name: string, shape: readonly number[]): [offset: number, scale: number] {
  const last = name.split('.').at(-1)!;
  if (`.${name}`.includes('.bn') || `.${name}`.includes('.downsample.1.')) return last === 'bias' ? [1, 0.1] : [0.5, 0.05];
  if (last === 'tau_s') return [10, 1];
  if (last === 'tau_c') return [1, 0.1];
  if (last === 'anchors' || last === 'sigma') return [0.5, 0.3];
  if (last === 'table' || last === 'level_bias') return [0, 0.2];
  if (last === 'pos_embed' || last.startsWith('rel_pos_')) return [0, 0.1];
  if (/point_embeddings|not_a_point_embed|no_mask_embed|iou_token|mask_tokens|gaussian_matrix/.test(name)) return [0, 1];
  if (shape.length <= 1) return last === 'bias' ? [0, 0.1] : [1, 0.1];
  const transposed = /output_upscaling\.[03]\.weight$/.test(name);
  return [0, 1 / Math.sqrt(transposed ? shape[0] : numel(shape.slice(1)))];
}

export function calmWeights(net: Module, seed: number, draw: Draw): void {
  const drawn = [...net.namedParameters()].filter(([name]) => !/running_(mean|var)$/.test(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  drawn.forEach(([name, p], op) => {
    const [offset, scale] = rule(name, p.torchShape);
    p.setTorchValues(draw(seed, { shape: [...p.torchShape], op, offset, scale }));
  });
}
