// SPDX-License-Identifier: MIT
// Attention of narrow heads by the kernels that old Lavapipe does not choose, since it compiles them for too long (ops/lanes.ts,
// slowCompiler). Elsewhere ops.test.ts runs them as they are chosen; there this is the same once more.
import { openDevice } from '../../src/gpu/device.ts';
import { proveTable } from './ops/table.ts';

proveTable(
  async () => {
    const device = await openDevice();
    return Object.assign(device, { caps: { ...device.caps, driver: 'a fast compiler' } });
  },
  (family) => family === 'attention',
);
