// SPDX-License-Identifier: MIT
// Running means of a run's measures: what a schedule may decide by. They follow from iterations alone and are kept in checkpoints, so that
// a run that is taken up again decides as it would have.

/** Weight of the newest value: those of some five readings count. */
const NEWEST = 0.2;

export type Means = Readonly<Record<string, number>>;

/** The means after another reading: measures by name, those of a group `a` as `a.b`. */
export function runningMeans(before: Means, measures: Readonly<Record<string, number | Readonly<Record<string, number>>>>): Means {
  const after: Record<string, number> = { ...before };
  const take = (name: string, value: number): void => {
    const mean = after[name];
    after[name] = mean === undefined ? value : mean + NEWEST * (value - mean);
  };
  for (const [name, value] of Object.entries(measures)) {
    if (typeof value === 'number') take(name, value);
    else for (const [inner, v] of Object.entries(value)) take(`${name}.${inner}`, v);
  }
  return after;
}
