// SPDX-License-Identifier: MIT
// SA-Net with a VNet in the 3D role, the whole way.
import { wholeWay } from './whole_way.ts';

wholeWay([
  [
    'sanet',
    (p) => {
      p.method.volume = 'vnet';
      Object.assign(p.method.vnet, { width: 2, dropout: 0.3 });
      Object.assign(p.method.network2d, { stem: 4, useMSA: false, useBGC: false, useRM: false });
      p.method.cross.warmStart = 0;
    },
  ],
]);
