// SPDX-License-Identifier: MIT
// SA-Net (MICCAI 2025) as a method: a promptable 3D network, or a VNet in its place, and two 2D networks that teach each other
// (docs/method.md).
import type { Method } from '../method.ts';
import { sanetFeed, type StepFeed } from './feed.ts';
import { foreign, suit, unsuited } from './foreign_weights.ts';
import { sanetGroups, sanetNetworks } from './networks.ts';
import { sanetSchema, type SanetFields } from './plan.ts';
import { Predictor } from './predictor.ts';
import { sanetPreset } from './presets.ts';
import { pseudoWeight, teaching } from './schedule.ts';
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
  contradictions({ data: { roi, window, normalise }, evaluation: { headline }, method: { volume, sam, network2d, cross, loss } }) {
    const wide = volume === 'sam' && sam.enabled && sam.compatibility === 'official';
    const own = network2d.window;
    const rules: [boolean, string][] = [
      [volume === 'sam' || sam.enabled, 'volume: got "vnet" with sam.enabled false, expected true: there is no SAM in it to leave out'],
      [sam.width % sam.heads === 0, `sam.width: got ${sam.width}, expected a multiple of sam.heads (${sam.heads})`],
      [
        cross.softThreshold <= cross.hardThreshold,
        `cross.softThreshold: got ${cross.softThreshold}, expected at most cross.hardThreshold (${cross.hardThreshold})`,
      ],
      [sam.enabled || network2d.enabled, 'sam.enabled: got false beside network2d.enabled false, expected at least one network'],
      [loss.ce + loss.dice > 0, 'loss: got ce 0 and dice 0, expected at least one above 0 (nothing would learn to segment)'],
      [
        !wide || (window[0] <= -1000 && window[1] >= 1000),
        `sam.compatibility: got "official" with data.window [${window.join(', ')}], expected one that holds -1000..1000 HU ` +
          '(network2d.window keeps a narrower one for the 2D networks)',
      ],
      [
        normalise !== 'z-score' || (!wide && own === 'data'),
        `${wide ? 'sam.compatibility: got "official"' : 'network2d.window: got HU'} with data.normalise "z-score", expected ` +
          '"-1..1" or "0..1", from which HU follow',
      ],
      [
        own === 'data' || (own[0] < own[1] && own[0] >= window[0] && own[1] <= window[1]),
        `network2d.window: got [${String(own)}], expected low < high within data.window [${window.join(', ')}]`,
      ],
      [
        !cross.mirrorAgreement || cross.pseudo === 'selected',
        'cross.mirrorAgreement: got true with cross.pseudo "full", expected "selected", the only pass that looks at a volume twice',
      ],
      // Its pseudo labels come from the one batch that is trained.
      ...cross.slices.map((n, i): [boolean, string] => [
        cross.pseudo !== 'selected' || Math.min(n, roi[i]) <= cross.microBatch,
        `cross.slices.${i}: got ${n}, expected at most cross.microBatch (${cross.microBatch}) with cross.pseudo "selected"`,
      ]),
    ];
    const left = [
      volume === 'sam' ? 'vnet' : 'sam',
      ...(sam.enabled ? [] : [volume]),
      ...(network2d.enabled ? [] : ['transverse', 'coronal']),
    ];
    const others = [
      ...(volume === 'sam'
        ? []
        : roi.flatMap((n, i) => (n % 16 === 0 ? [] : [`data.roi.${i}: got ${n}, expected a multiple of 16 with method.volume "vnet"`]))),
      ...(left.includes(headline)
        ? [`evaluation.headline: got "${headline}", a network that the plan leaves out, expected "ensemble" or one that is there`]
        : []),
    ];
    return [...rules.filter(([good]) => !good).map(([, line]) => `method.${line}`), ...others];
  },
  // Not what is switched off: an ablation leaves the rest of a plan as it is.
  idle: ({ volume }) => ({ [volume === 'sam' ? 'vnet' : 'sam']: `volume "${volume}"` }),
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
  outputs: ['sam', 'vnet', 'transverse', 'coronal'],
  bare: 'sam',
  foreign: { place: foreign, unsuited, suit },
  encoders: { sam: 'image_encoder', transverse: 'encoder', coronal: 'encoder' },
  networks: sanetNetworks,
  groups: sanetGroups,
  averageDecay: ({ method: { sam, network2d, cross } }) => (sam.enabled && network2d.enabled && cross.enabled ? cross.teacherAverage : 0),
  learnsUnannotated: ({ method: { sam, network2d, cross } }) => sam.enabled && network2d.enabled && cross.enabled,
  schedule: ({ method: { cross } }, it, n, means) => ({ lambda: pseudoWeight(cross, it, n), ...teaching(cross, means) }),
  feed: sanetFeed,
  step: (plan, ...rest) => (plan.method.cross.pseudo === 'full' ? compileFullStep : compileStep)(plan, ...rest),
  predictor: Predictor.create,
};
