// SPDX-License-Identifier: MIT
// How numbers are written: scientific notation as papers have it, units beside values, a dash where nothing is defined.

import type { Aggregate } from '../metrics/summary.ts';

const MISSING = '–';
const MINUS = '−';

/** Fixed decimals with a true minus sign. */
export function fixed(value: number | null | undefined, decimals = 1): string {
  if (value === null || value === undefined || Number.isNaN(value)) return MISSING;
  if (!Number.isFinite(value)) return value > 0 ? '∞' : `${MINUS}∞`;
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** With an explicit plus sign, for differences. */
export function signed(value: number | null | undefined, decimals = 1): string {
  const text = fixed(value, decimals);
  return typeof value === 'number' && value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** A fraction in per cent. */
export function percent(fraction: number | null | undefined, decimals = 1): string {
  return fraction === null || fraction === undefined ? MISSING : `${fixed(fraction * 100, decimals)} %`;
}

/** Decimals that suit the unit of a metric. */
export function decimalsOf(unit: '%' | 'mm'): number {
  return unit === '%' ? 1 : 2;
}

/** "81.2 ± 6.4" */
export function meanStd({ mean, std, unit }: Pick<Aggregate, 'mean' | 'std' | 'unit'>): string {
  const decimals = decimalsOf(unit);
  return std === null ? fixed(mean, decimals) : `${fixed(mean, decimals)} ± ${fixed(std, decimals)}`;
}

/** "79.0 to 83.1" */
export function interval(
  ci: readonly [number, number] | null,
  decimals = 1,
  write: (value: number, decimals: number) => string = fixed,
): string {
  return ci === null ? MISSING : `${write(ci[0], decimals)} to ${write(ci[1], decimals)}`;
}

export function pValue(p: number | null): string {
  return p === null ? MISSING : p < 0.001 ? '< 0.001' : fixed(p, 3);
}

/** "3 h 12 min", "4 min 05 s", "8.2 s" */
export function duration(seconds: number): string {
  if (seconds < 60) return `${fixed(seconds, 1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** Binary units, as memory is sold. */
export function bytes(n: number | undefined): string {
  if (n === undefined) return MISSING;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = n < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(n) / 10));
  return `${fixed(n / 1024 ** power, power === 0 ? 0 : 1)} ${units[power]}`;
}

/** A name that fits the margin of a chart; tables carry the whole of it. */
export function shortened(name: string, most = 34): string {
  const characters = [...name];
  return characters.length <= most ? name : `${characters.slice(0, most - 1).join('')}…`;
}

/** "1 case", "12 cases" */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** "a, b, c", and how many there are where they are more than `most` */
export function listed(names: readonly string[], most = 8): string {
  return `${names.slice(0, most).join(', ')}${names.length > most ? `, ... (${names.length} in all)` : ''}`;
}
