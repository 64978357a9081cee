// SPDX-License-Identifier: MIT
// Values of a kernel's Params struct as bytes.
import { LimitError, VoxelgradError } from '../errors.ts';
import type { KernelDef } from './kernel.ts';

const RANGE = { u32: [0, 0xffffffff], i32: [-0x80000000, 0x7fffffff] } as const;

/** Params of one dispatch as the bytes of its uniform struct. @throws LimitError for a number that its type cannot hold */
export function packParams(def: KernelDef, params: Readonly<Record<string, number>>): ArrayBuffer {
  const bytes = new ArrayBuffer(def.params?.size ?? 0);
  const view = new DataView(bytes);
  for (const [name, { offset, type }] of Object.entries(def.params?.fields ?? {})) {
    const value = params[name];
    if (value === undefined) throw new VoxelgradError('INTERNAL', `${def.entry}: params.${name} is missing.`);
    if (type !== 'f32' && !(Number.isInteger(value) && value >= RANGE[type][0] && value <= RANGE[type][1])) {
      throw new LimitError(
        `${def.entry}: params.${name} got ${value}, expected an integer from ${RANGE[type].join(' to ')}.`,
        'Use smaller sizes.',
      );
    }
    if (type === 'f32') view.setFloat32(offset, value, true);
    else if (type === 'i32') view.setInt32(offset, value, true);
    else view.setUint32(offset, value, true);
  }
  return bytes;
}
