// SPDX-License-Identifier: MIT
import { elementwise } from './elementwise.ts';
import { reductions } from './reductions.ts';
import type { Specials } from './form.ts';

export const specials: Readonly<Record<string, Specials>> = { elementwise, reductions };
