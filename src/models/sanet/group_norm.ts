// SPDX-License-Identifier: MIT
// `norm: 'gn'` (docs/method.md, part D, 26): every batch norm of a network becomes a group norm of the same weights, whose statistics are
// those of one slice, whatever the micro-batch.
import { BatchNorm } from '../../nn/layers.ts';
import type { Module } from '../../nn/module.ts';
import { GroupNorm } from '../../nn/norms.ts';

const GROUPS = 32;
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** With the weights of a batch norm. */
export function likeBatchNorm({ weight, bias }: BatchNorm): GroupNorm {
  return Object.assign(new GroupNorm(gcd(GROUPS, weight.size), weight.size), { weight, bias });
}

/** Puts a group norm in the place of every batch norm below `root`. */
export function useGroupNorm(root: Module): void {
  for (const module of Array.from(root.modules())) {
    for (const holder of [module, ...Object.values(module).filter((value) => Array.isArray(value))] as object[]) {
      for (const [key, value] of Object.entries(holder))
        if (value instanceof BatchNorm) (holder as Record<string, unknown>)[key] = likeBatchNorm(value);
    }
  }
}
