// SPDX-License-Identifier: MIT
// Asks Dawn for an adapter and prints it as one JSON line; `null` where there is none or only Dawn's null backend, which
// computes nothing. A process of its own: a broken driver may crash it, and a driver installed later is only seen by a new one.
import { create } from 'webgpu';

const gpu = create([]);
const adapter = await gpu.requestAdapter();
const info = adapter?.info;
const real = info && info.device !== 'null-backend';
console.log(
  JSON.stringify(
    real ? { vendor: info.vendor, architecture: info.architecture, device: info.device, description: info.description } : null,
  ),
);
