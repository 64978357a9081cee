// SPDX-License-Identifier: MIT
// Which HU are black and which are white.

export interface Window {
  readonly width: number;
  readonly level: number;
}

export const PRESETS = {
  lung: { width: 1500, level: -600 },
  mediastinum: { width: 400, level: 40 },
  bone: { width: 1800, level: 400 },
  brain: { width: 80, level: 40 },
  liver: { width: 150, level: 30 },
} as const satisfies Readonly<Record<string, Window>>;
export type PresetName = keyof typeof PRESETS;

/** After a drag in CSS pixels: to the right wider, up brighter, as on a workstation. */
export function dragged({ width, level }: Window, dx: number, dy: number): Window {
  const step = Math.max(0.5, width / 300);
  return { width: Math.max(1, Math.round(width + dx * step)), level: Math.round(level + dy * step) };
}

/** What a scan is first seen by: lung where most of its middle is air, mediastinum else; all of its range where its values are no HU. */
export function windowFor({
  data,
  range: [low, high],
}: {
  readonly data: Int16Array | Float32Array;
  readonly range: readonly [number, number];
}): Window {
  if (low > -200 || high < -200) return { width: Math.max(1, Math.round(high - low)), level: Math.round((low + high) / 2) };
  const some: number[] = [];
  const step = Math.max(1, Math.floor(data.length / 2 / 4001));
  for (let i = data.length >> 2; i < 3 * (data.length >> 2); i += step) some.push(data[i]);
  some.sort((a, b) => a - b);
  const middle = some[some.length >> 1];
  return middle < -500 && middle > -950 ? PRESETS.lung : PRESETS.mediastinum;
}
