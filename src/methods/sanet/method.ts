// SPDX-License-Identifier: MIT
// SA-Net (MICCAI 2025) as a method: a promptable 3D network and two 2D networks that teach each other (docs/method.md).
import type { Method } from '../method.ts';
import { sanetFeed, type StepFeed } from './feed.ts';
import { sanetGroups, sanetNetworks } from './networks.ts';
import { sanetSchema, type SanetFields } from './plan.ts';
import { Predictor } from './predictor.ts';
import { sanetPreset } from './presets.ts';
import { pseudoWeight } from './schedule.ts';
import { compileStep } from './step.ts';
import { compileFullStep } from './step_full.ts';

export const sanet: Method<SanetFields, StepFeed> = {
  name: 'sanet',
  schema: sanetSchema,
  preset: (preset, { version, name, preset: of, classes, data, annotation, split, ...rest }) => ({
    version,
    preset: of,
    name,
    classes,
    data,
    annotation,
    split,
    method: sanetPreset(preset),
    ...rest,
  }),
  severalClasses({ method: { cross } }) {
    cross.quality = 'accuracy';
    cross.qualityBar = 0.98;
  },
  contradictions({ data: { roi }, method: { sam, network2d, cross, loss } }) {
    const rules: [boolean, string][] = [
      [sam.width % sam.heads === 0, `sam.width: got ${sam.width}, expected a multiple of sam.heads (${sam.heads})`],
      [
        cross.softThreshold <= cross.hardThreshold,
        `cross.softThreshold: got ${cross.softThreshold}, expected at most cross.hardThreshold (${cross.hardThreshold})`,
      ],
      [sam.enabled || network2d.enabled, 'sam.enabled: got false beside network2d.enabled false, expected at least one network'],
      [loss.ce + loss.dice > 0, 'loss: got ce 0 and dice 0, expected at least one above 0 (nothing would learn to segment)'],
      // Its pseudo labels come from the one batch that is trained.
      ...cross.slices.map((n, i): [boolean, string] => [
        cross.pseudo !== 'selected' || Math.min(n, roi[i]) <= cross.microBatch,
        `cross.slices.${i}: got ${n}, expected at most cross.microBatch (${cross.microBatch}) with cross.pseudo "selected"`,
      ]),
    ];
    return rules.filter(([good]) => !good).map(([, line]) => `method.${line}`);
  },
  parts: {
    msa: ({ network2d }) => {
      network2d.useMSA = false;
    },
    bgc: ({ network2d }) => {
      network2d.useBGC = false;
    },
    rm: ({ network2d }) => {
      network2d.useRM = false;
    },
    cross: ({ cross }) => {
      cross.enabled = false;
    },
    '2d': ({ network2d }) => {
      network2d.enabled = false;
    },
    sam: ({ sam }) => {
      sam.enabled = false;
    },
  },
  outputs: ['sam', 'transverse', 'coronal'],
  bare: 'sam',
  networks: sanetNetworks,
  groups: sanetGroups,
  learnsUnannotated: ({ method: { sam, network2d, cross } }) => sam.enabled && network2d.enabled && cross.enabled,
  schedule: ({ method: { cross } }, it, n) => ({ lambda: pseudoWeight(cross, it, n) }),
  feed: sanetFeed,
  step: (plan, ...rest) => (plan.method.cross.pseudo === 'full' ? compileFullStep : compileStep)(plan, ...rest),
  predictor: Predictor.create,
};
