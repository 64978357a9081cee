// SPDX-License-Identifier: MIT
import { NAMES, proveFamily } from './products.ts';

for (const name of NAMES) proveFamily(name);
