// SPDX-License-Identifier: MIT
// Ways in which scanners store a volume: columns are the directions of W, H and D, in LPS.

/** As most scanners, turned about the axis from foot to head. */
const turned = (degrees: number): number[] => {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [c, -s, 0, s, c, 0, 0, 0, 1];
};

export const ORIENTATIONS: Readonly<Record<string, readonly number[]>> = {
  axial: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  ras: [-1, 0, 0, 0, -1, 0, 0, 0, 1],
  mirrored: [-1, 0, 0, 0, 1, 0, 0, 0, -1],
  coronal: [1, 0, 0, 0, 0, 1, 0, -1, 0],
  sagittal: [0, 0, 1, 1, 0, 0, 0, -1, 0],
  oblique: turned(25),
  upside: [0, -1, 0, 0, 0, -1, 1, 0, 0],
};
