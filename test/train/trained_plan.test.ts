// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { assertTrainedWith, trainedPlan } from '../../src/train/trained_plan.ts';
import { tinyPlan } from './tiny_run.ts';

describe('a plan edited after the training', () => {
  const trained = JSON.parse(JSON.stringify(trainedPlan(tinyPlan()))); // as a checkpoint gives it back
  const check = (edit: (plan: SanetPlan) => void) => () => assertTrainedWith(tinyPlan(edit), trained, 'run/plan.json');

  it('is refused with each field that differs', () => {
    expect(
      check((p) => {
        p.data.window = [-160, 240];
      }),
    ).toThrow(
      /run\/plan\.json: was edited after the training[^]*: data\.window: got \[-160,240\], expected \[-1200,600\]\. Put the values back/,
    );
    expect(
      check((p) => {
        p.data.spacing = [1, 1, 1];
        p.method.sam.clicks = 9;
      }),
    ).toThrow(/\n {2}data\.spacing: got \[1,1,1\], expected "native"\n {2}method\.sam\.clicks: got 9, expected 1/);
  });
  it('may predict and evaluate otherwise', () => {
    expect(
      check((p) => {
        p.prediction.step = 0.25;
        p.evaluation.surfaceMm = 1;
      }),
    ).not.toThrow();
    expect(check(() => {})).not.toThrow();
  });
  it('may have fields that came with a later version', () => {
    const { clicks: _clicks, ...sam } = trained.method.sam;
    expect(() => assertTrainedWith(tinyPlan(), { ...trained, method: { ...trained.method, sam } }, 'plan.json')).not.toThrow();
  });
});
