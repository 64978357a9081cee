// SPDX-License-Identifier: MIT
// Who votes in the ensemble: all networks, unless their mean is worse than one of them alone on the cases that checkpoints are selected
// by, or where none are kept for that, on regions that are trained on: a network that learnt nothing is known there, too. Then the mean of
// those that do best together, which may be a single one.

/**
 * What was chosen: the members, and Dice of their mean, of all networks' mean and of the best one alone, on the selection cases, or where
 * there are none on what is trained on (`learnt`).
 */
export interface Ensemble {
  readonly members: readonly string[];
  readonly dice: { readonly chosen: number; readonly all: number; readonly best: number };
  readonly learnt?: boolean;
}

/** Combinations of two networks and more, all of them first. */
export function combinations(names: readonly string[]): string[][] {
  const all = Array.from({ length: 2 ** names.length }, (_, bits) => names.filter((_name, i) => bits & (1 << i)));
  return all.filter((some) => some.length > 1).sort((a, b) => b.length - a.length);
}

/** Name of a combination's output in a validation. */
export const combined = (members: readonly string[]): string => members.join('+');

/** By mean Dice of every network (by name) and of every combination (`combined`). Of equals, the combination with more members. */
export function chooseEnsemble(names: readonly string[], dice: Readonly<Record<string, number>>): Ensemble {
  const alone = names.map((name) => [name]);
  const scored = [...combinations(names), ...alone].map((members) => ({ members, score: dice[combined(members)] ?? 0 }));
  const [all] = scored;
  const best = Math.max(...alone.map(([name]) => dice[name] ?? 0));
  const chosen = all.score >= best ? all : scored.reduce((a, b) => (b.score > a.score ? b : a));
  return { members: chosen.members, dice: { chosen: chosen.score, all: all.score, best } };
}

/** In words, where somebody is left out. */
export function ensembleWords({ members, dice, learnt }: Ensemble, names: readonly string[]): string | undefined {
  const left = names.filter((name) => !members.includes(name));
  if (left.length === 0) return undefined;
  const percent = (v: number): string => (100 * v).toFixed(1);
  return (
    `the ensemble is ${members.length === 1 ? `${members[0]} alone` : `the mean of ${members.join(' and ')}`}, without ` +
    `${left.join(' and ')}: on ${learnt ? 'what it was trained on' : 'the selection cases'} it has Dice ${percent(dice.chosen)} %, ` +
    `the mean of all ${percent(dice.all)} %, ` +
    `the best network alone ${percent(dice.best)} %`
  );
}
