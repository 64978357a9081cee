// SPDX-License-Identifier: MIT
// `norm: 'gn'` (docs/method.md, part D, 26): every batch norm of a network becomes a group norm of the same weights, whose statistics are
// those of one slice, whatever the micro-batch.
import type { Tensor } from '../../engine/tensor.ts';
import { BatchNorm } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import type { Parameter } from '../../nn/parameter.ts';
import { groupNorm } from '../../ops/group_norm.ts';

const GROUPS = 32;
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

export class GroupNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  constructor({ weight, bias }: BatchNorm) {
    super();
    this.weight = weight;
    this.bias = bias;
  }
  /** As BatchNorm's. */
  forward(x: Tensor, options: { relu?: boolean; add?: Tensor } = {}): Tensor {
    const groups = gcd(GROUPS, x.shape.at(-1)!);
    return this.scoped(() => groupNorm(x, this.weight, this.bias, { groups, ...options }));
  }
}

/** Puts a group norm in the place of every batch norm below `root`. */
export function useGroupNorm(root: Module): void {
  for (const module of [...root.modules()]) {
    for (const holder of [module, ...Object.values(module).filter((value) => Array.isArray(value))] as object[]) {
      for (const [key, value] of Object.entries(holder)) if (value instanceof BatchNorm) (holder as Record<string, unknown>)[key] = new GroupNorm(value);
    }
  }
}
