// SPDX-License-Identifier: MIT
// Values as text, the way PyTorch prints them: nested by axis, long axes by their ends alone.

/** Axes longer than twice this are cut in tensors of more than `WHOLE` values. */
const EDGE = 3;
export const WHOLE = 1000;

const short = (v: number): string => (Number.isInteger(v) || !Number.isFinite(v) ? String(v) : String(Number(v.toPrecision(5))));

/** `[[1, 2], [3, 4]]` */
export function valuesText(values: ArrayLike<number>, shape: readonly number[]): string {
  const cut = values.length > WHOLE;
  const text = (axis: number, start: number, stride: number): string => {
    if (axis === shape.length) return short(values[start]);
    const n = shape[axis];
    const step = n === 0 ? 0 : stride / n;
    const at = (i: number): string => text(axis + 1, start + i * step, step);
    const all = Array.from({ length: n }, (_, i) => i);
    if (!cut || n <= 2 * EDGE) return `[${all.map(at).join(', ')}]`;
    return `[${all.slice(0, EDGE).map(at).join(', ')}, ..., ${all.slice(-EDGE).map(at).join(', ')}]`;
  };
  return text(0, 0, values.length);
}
