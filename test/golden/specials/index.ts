// SPDX-License-Identifier: MIT
import { elementwise } from './elementwise.ts';
import { losses } from './losses.ts';
import { picking } from './picking.ts';
import { reductions } from './reductions.ts';
import { softmaxes } from './softmax.ts';
import { spatial } from './spatial.ts';
import type { Specials } from './form.ts';

export const specials: Readonly<Record<string, Specials>> = { elementwise, reductions, spatial, picking, softmax: softmaxes, losses };
