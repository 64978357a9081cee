// SPDX-License-Identifier: MIT
// Intensities of a plan's regions as HU again, for networks that want them otherwise.
import type { SanetPlan } from './plan.ts';

type Data = SanetPlan['data'];
const lowest = ({ normalise }: Data): number => (normalise === '-1..1' ? -1 : 0);

/** HU = scale x + offset; a z-score cannot be undone (`contradictions`). */
export function hounsfield(data: Data): { scale: number; offset: number } {
  const [low, high] = data.window;
  const scale = (high - low) / (1 - lowest(data));
  return { scale, offset: low - scale * lowest(data) };
}

/** From the plan's window to a narrower one, which becomes what the plan's would. */
export function narrowed(data: Data, [low, high]: readonly [number, number]): { scale: number; offset: number; low: number; high: number } {
  const hu = hounsfield(data);
  const factor = (1 - lowest(data)) / (high - low);
  return { scale: hu.scale * factor, offset: lowest(data) + (hu.offset - low) * factor, low: lowest(data), high: 1 };
}
