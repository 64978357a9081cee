// SPDX-License-Identifier: MIT
// A row or two of each kernel; products.full.test.ts has all of them, in every size of tile.
import { proveFamily, type FamilyName } from './products.ts';

const IDS = [
  'matmul: 7 x 63 x 65 (f16)',
  'matmul: batch, both transposed',
  'matmul: bias and gelu',
  'conv2d: three groups',
  'conv2d: three groups (f16)',
  'convTranspose2d: 3 x 3 stride 2',
  'attention: heads from channels (f16)',
  'batch and a split reduction',
  'a split reduction, bias and ReLU',
  'conv2d, a split reduction, bias and ReLU',
  'attention, heads',
  'attention, a slice at a time',
  'attention: wide heads, cosine, key bias and temperature',
  'attention: bias, key bias and temperature',
  'relativeAttention: grid 2 x 3 x 4 (f16)',
];
const FEW: FamilyName[] = ['workgroup tiles 64 x 64', 'workgroup tiles 32 x 32, the reduction shared by 4', 'subgroup matrices 2 x 2'];
for (const name of FEW) proveFamily(name, (id) => IDS.includes(id));
