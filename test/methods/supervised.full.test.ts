// SPDX-License-Identifier: MIT
// The compared networks that supervised.test.ts leaves out.
import { wholeWay } from './whole_way.ts';

wholeWay([
  ['unet3d', () => {}],
  [
    'eoformer',
    (p) => {
      p.method.network.dropPath = 0.3;
    },
  ],
  [
    'convunet',
    (p) => {
      p.method.network.dropPath = 0.3;
    },
  ],
  ['henet', () => {}],
  [
    'ctn',
    (p) => {
      p.method.network.dropout = 0.05;
    },
  ],
  ['swin_smt', () => {}],
]);
