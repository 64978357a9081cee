// SPDX-License-Identifier: MIT
// The table once more on a device that claims to be a GPU: the launches, tiles and kernels that a software adapter does not choose, but
// for those that ask for more rows or columns than these cases have (products.full.test.ts).
import { openDevice } from '../../src/gpu/device.ts';
import { proveTable } from './ops/table.ts';

proveTable(async () => {
  const device = await openDevice();
  return Object.assign(device, { caps: { ...device.caps, software: false } });
});
