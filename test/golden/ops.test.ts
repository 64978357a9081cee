// SPDX-License-Identifier: MIT
import { openDevice } from '../../src/gpu/device.ts';
import { proveTable } from './ops/table.ts';

proveTable(openDevice);
