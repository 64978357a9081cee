// SPDX-License-Identifier: MIT
// Three numbers, one for each axis, and the planes across them: what volumes, kernels, metrics and pages all speak of.

/** Three numbers, one per array axis [D, H, W] or one per world axis [x, y, z]; each use says which. */
export type Triple = [number, number, number];

/** transverse: fix z; coronal: fix y; sagittal: fix x. */
export type Plane = 'transverse' | 'coronal' | 'sagittal';

/** Planes that are annotated, and whose slices networks look at. */
export type SlicePlane = Exclude<Plane, 'sagittal'>;
