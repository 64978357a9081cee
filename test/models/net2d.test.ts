// Every module of the 2D network against the PyTorch oracle: outputs, gradients of inputs and parameters, running statistics.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { Bottleneck, ResNet } from '../../src/models/resnet.ts';
import { BGC, TaskFeatures } from '../../src/models/sanet/bgc.ts';
import { CCA, CSA } from '../../src/models/sanet/cross_layer.ts';
import { ESG } from '../../src/models/sanet/esg.ts';
import { MFCA } from '../../src/models/sanet/mfca.ts';
import { MR, MSA } from '../../src/models/sanet/msa.ts';
import { Net2D } from '../../src/models/sanet/net2d.ts';
import { BAA, Head, Recovery } from '../../src/models/sanet/rm.ts';
import { CBR } from '../../src/nn/layers.ts';
import type { Module } from '../../src/nn/module.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { compare, Goldens, input, setParameters, type GoldenCase } from './golden.ts';

const goldens = new Goldens('net2d');
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

type Inputs = Record<string, Tensor>;
const numbered = (prefix: string, list: readonly Tensor[]): Inputs => Object.fromEntries(list.map((t, i) => [`${prefix}${i}`, t]));
const C = 32;
// A ReLU or maximum that changes sides moves a gradient of a whole network by up to 4e-5 (NAMES.md); sums that cancel to zero
// keep the rounding of gradients some hundred times larger than a single module's.
const WHOLE = { gradient: 1e-3, output: 1e-8, zero: 1e-3 };

function selected(c: GoldenCase): Tensor | undefined {
  const found = goldens.values.get(`${c.name}/selected`);
  return found && tensor(Uint32Array.from(found.data as Int32Array), { shape: found.shape, dtype: 'u32' });
}

const simple: Record<string, { module: () => Module; forward: (m: never, x: Inputs, c: GoldenCase) => Inputs }> = {
  bottleneck: { module: () => new Bottleneck(32, 8, 1), forward: (m: Bottleneck, { x }) => ({ y: m.forward(x) }) },
  bottleneck_stride: { module: () => new Bottleneck(24, 8, 2), forward: (m: Bottleneck, { x }) => ({ y: m.forward(x) }) },
  encoder: {
    module: () => new ResNet({ width: 16, blocks: [1, 2, 2, 1] }),
    forward: (m: ResNet, { x }) => Object.fromEntries(m.forward(x).map((e, i) => [`e${i + 1}`, e])),
  },
  lateral: { module: () => new CBR(64, C, 1), forward: (m: CBR, { x }) => ({ y: m.forward(x) }) },
  mfca: { module: () => new MFCA(C), forward: (m: MFCA, { x }) => ({ y: m.forward(x) }) },
  mfca_small: { module: () => new MFCA(C), forward: (m: MFCA, { x }) => ({ y: m.forward(x) }) },
  cca: { module: () => new CCA(C), forward: (m: CCA, x) => numbered('y', m.forward(Object.values(x))) },
  csa: { module: () => new CSA(C), forward: (m: CSA, x) => numbered('y', m.forward(Object.values(x))) },
  mr: { module: () => new MR(C), forward: (m: MR, { x }) => ({ y: m.forward(x) }) },
  msa: { module: () => new MSA(C), forward: (m: MSA, x) => numbered('y', m.forward(Object.values(x))) },
  task: { module: () => new TaskFeatures(C), forward: (m: TaskFeatures, x) => ({ ...m.forward(Object.values(x) as never) }) },
  bgc: { module: () => new BGC(C), forward: (m: BGC, { x_s, x_b }) => ({ ...m.forward(x_s, x_b) }) },
  esg: { module: () => new ESG(C), forward: (m: ESG, { j2, j1, eb }, c) => ({ y: m.forward(j2, j1, eb, selected(c)) }) },
  baa0: { module: () => new BAA(512, C), forward: (m: BAA, { e_i, m_b, m_l }) => ({ y: m.forward(e_i, m_b, m_l) }) },
  baa1: { module: () => new BAA(256, C), forward: (m: BAA, { e_i, m_b, m_l }) => ({ y: m.forward(e_i, m_b, m_l) }) },
  baa2: { module: () => new BAA(128, C), forward: (m: BAA, { e_i, m_b, m_l }) => ({ y: m.forward(e_i, m_b, m_l) }) },
  baa3: { module: () => new BAA(64, C), forward: (m: BAA, { e_i, m_b, m_l }) => ({ y: m.forward(e_i, m_b, m_l) }) },
  recovery: {
    module: () => new Recovery(C, C, 2, [64, 128, 256, 512]),
    forward: (m: Recovery, { j3, j1, e2, e3, e4, e5 }) => {
      const r = m.forward(j3, j1, [e2, e3, e4, e5]);
      return { l1: r.level, ...numbered('region', r.region), ...numbered('boundary', r.boundary) };
    },
  },
  head: { module: () => new Head(16, C, 3), forward: (m: Head, { l1, e1 }) => ({ y: m.forward(l1, e1) }) },
};

describe('modules of the 2D network', () => {
  for (const [name, { module, forward }] of Object.entries(simple)) {
    it(name, async () => {
      const c = goldens.get(name);
      const m = module();
      setParameters(c, m);
      const inputs = Object.fromEntries(Object.keys(c.inputs).map((key) => [key, input(c, key)]));
      await compare(goldens, c, m, inputs, () => forward(m as never, inputs, c));
    });
  }
});

describe('the whole 2D network, each part on and off', () => {
  for (const name of ['net2d', 'net2d_no_msa', 'net2d_no_bgc', 'net2d_no_rm', 'net2d_plain']) {
    it(name, async () => {
      const c = goldens.get(name);
      const { msa, bgc, rm } = c.config as unknown as { msa: boolean; bgc: boolean; rm: boolean };
      const net = new Net2D({ stem: 16, blocks: [1, 1, 1, 1], width: C, recovery: C, classes: 2, useMSA: msa, useBGC: bgc, useRM: rm });
      setParameters(c, net);
      const x = input(c, 'x');
      await compare(
        goldens,
        c,
        net,
        { x },
        () => {
          const out = net.forward(x, selected(c));
          return { logits: out.logits, edge: out.edge, ...numbered('region', out.region), ...numbered('boundary', out.boundary) };
        },
        { bounds: WHOLE },
      );
    });
  }
});
