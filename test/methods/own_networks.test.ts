// SPDX-License-Identifier: MIT
// A method of one's own with two networks, by what `voxelgrad/sanet` exports alone, the whole way: the interface itself, where `supervised`
// has one network.
import { z } from 'zod';
import { spec, Conv3d, decayGroups, noGrad, ReLU, reshape, Sequential, softmax, Upsample, type Inputs } from '../../src/index.ts';
import { addMethod, compileVolumeStep, densePredictor, oneHotOf, segLoss, StepContext, type Method, type Plan } from '../../src/sanet.ts';
import { wholeWay } from './whole_way.ts';

interface Fields {
  name: 'near_and_far';
  width: number;
  rate: number;
}
const NAMES = ['near', 'far'] as const;

const method: Method<Fields> = {
  name: 'near_and_far',
  schema: z.strictObject({ name: z.literal('near_and_far'), width: z.int().min(1).max(64), rate: z.number() }),
  preset: (_, shared): Plan<Fields> => ({ ...shared, method: { name: 'near_and_far', width: 4, rate: 1e-2 } }),
  contradictions: () => [],
  parts: {},
  outputs: NAMES,
  bare: 'near',
  networks({ method: { width }, classes: { length: classes } }) {
    const convolution = (i: number, o: number, stride = 1): Conv3d => new Conv3d(i, o, 3, { padding: 1, bias: true, stride });
    return {
      near: new Sequential(convolution(1, width), new ReLU(), convolution(width, classes)),
      far: new Sequential(convolution(1, width, 2), new ReLU(), convolution(width, classes), new Upsample({ scale: 2, mode: 'linear' })),
    };
  },
  groups: ({ method: { rate } }, nets) =>
    Object.fromEntries(NAMES.map((name) => [name, { groups: decayGroups(nets[name].parameters(), 0), rate }])),
  schedule: () => ({}),
  feed: ({ classes }, { sample, unlabelled }) => ({
    image: sample.image,
    label: Float32Array.from(sample.label),
    annotated: Float32Array.from(sample.weight),
    present: Float32Array.from(classes, (_, c) => (unlabelled.includes(c) ? 0 : 1)),
  }),
  step({ data: { roi }, classes: { length: classes }, training: { batch } }, nets, optimisers, { partial, ...options }) {
    const context = new StepContext(nets, optimisers, options);
    const example = { image: spec(roi), label: spec(roi), annotated: spec(roi), present: spec([classes]) };
    for (const name of NAMES) nets[name].train();
    return compileVolumeStep(context, example, { ...options, batch }, (x: Inputs<typeof example>, share) => {
      const target = noGrad(() => oneHotOf(x.label, classes));
      for (const name of NAMES) {
        const logits = nets[name].forward(reshape(x.image, [...x.image.shape, 1]));
        context.learn(name, segLoss(logits, target, x.annotated, partial ? x.present : undefined), share);
      }
    });
  },
  predictor: (plan, nets) =>
    densePredictor(
      plan,
      NAMES.map((name) => nets[name]),
      (image) => Object.fromEntries(NAMES.map((name) => [name, softmax(nets[name].forward(reshape(image, [...image.shape, 1])), -1)])),
    ),
};
addMethod(method);

wholeWay([['near_and_far', () => {}]]);
