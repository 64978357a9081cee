// SPDX-License-Identifier: MIT
import { attentions } from './attention.ts';
import type { Family } from './case.ts';
import { conv } from './conv.ts';
import { gathers } from './gather.ts';
import { layout } from './layout.ts';
import { losses } from './losses.ts';
import { products } from './matmul.ts';
import { nonlinear } from './nonlinear.ts';
import { norm } from './norm.ts';
import { training } from './optim.ts';
import { pointwise } from './pointwise.ts';
import { pool } from './pool.ts';
import { reduce } from './reduce.ts';

export const families: Readonly<Record<string, Family>> = {
  pointwise,
  nonlinear,
  reduce,
  norm,
  matmul: products,
  conv,
  attention: attentions,
  layout,
  pool,
  gather: gathers,
  training,
  losses,
};
