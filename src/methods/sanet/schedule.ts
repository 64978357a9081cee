// SPDX-License-Identifier: MIT
// The weight of pseudo labels as a fraction of the run, and who may teach whom (specification 5.2).
import type { Means } from '../running_means.ts';
import type { SanetFields } from './plan.ts';

/** lambda: 0 in stage 0, then lambdaMax exp(-5 (1 - r)^2) with r rising to 1 at the end. */
export function pseudoWeight(cross: Pick<SanetFields['cross'], 'enabled' | 'lambdaMax' | 'warmStart'>, it: number, n: number): number {
  const stage0 = Math.round(cross.warmStart * n);
  if (!cross.enabled || it < stage0) return 0;
  const r = Math.min(1, Math.max(0, (it - stage0) / (n - stage0)));
  return cross.lambdaMax * Math.exp(-5 * (1 - r) ** 2);
}

/** Measures of a step: each network's quality as a teacher. */
export const TEACHERS = 'teachers';

type Rules = Pick<SanetFields['cross'], 'teacherBar' | 'teachesAlways'>;

/** Whether quality decides who teaches. */
export const judgesTeachers = ({ teacherBar, teachesAlways }: Rules): boolean => teacherBar > 0 || !teachesAlways;

/**
 * 1 where SAM teaches the 2D networks, and these SAM, else 0: by running means of their quality, so far as the plan asks for it. Before
 * there is a mean everyone teaches.
 */
export function teaching(rules: Rules, means: Means): Readonly<Record<string, number>> {
  if (!judgesTeachers(rules)) return {};
  const volumes = means[`${TEACHERS}.volumes`];
  if (!volumes) return { samTeaches: 1, slicesTeach: 1 };
  const quality = (name: string): number => means[`${TEACHERS}.${name}`] / volumes;
  const [sam, slices] = [quality('sam'), (quality('transverse') + quality('coronal')) / 2];
  const teaches = (teacher: number, pupil: number): number =>
    Number(teacher >= rules.teacherBar && (rules.teachesAlways || teacher >= pupil));
  return { samTeaches: teaches(sam, slices), slicesTeach: teaches(slices, sam) };
}
