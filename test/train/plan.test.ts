// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { DataError, UsageError } from '../../src/errors.ts';
import { ablate, parsePlan, parsePlanText } from '../../src/train/plan.ts';
import { sanetSchema, type SanetPlan } from '../../src/methods/sanet/plan.ts';
import { PRESETS, schemaWith, type Preset } from '../../src/methods/plan.ts';
import { inferPlan, presetPlan } from '../../src/train/presets.ts';
import { asVersion1 } from './plan_v1.ts';

/** The plan with one field set by path. */
function withField(path: string, value: unknown, preset: Preset = 'tiny'): unknown {
  const json = JSON.parse(JSON.stringify(presetPlan(preset)));
  const parts = path.split('.');
  const last = parts.pop()!;
  parts.reduce((o, part) => o[part], json)[last] = value;
  return json;
}

describe('presets', () => {
  it.each(PRESETS)('%s is a valid plan, and survives JSON', (preset) => {
    const plan = presetPlan(preset);
    expect(parsePlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
  });

  it('have the sizes of the specification, section C', () => {
    const sizes = (p: Preset) => {
      const { network2d: n, sam: s } = presetPlan(p).method;
      return [n.stem, n.blocks.join(), n.width, n.recoveryWidth, s.size, s.width, s.depth, s.heads].join(' ');
    };
    expect(sizes('paper')).toBe('64 3,4,6,3 256 64 128 768 12 12');
    expect(sizes('base')).toBe('64 3,4,6,3 128 64 96 384 12 6');
    expect(sizes('tiny')).toBe('16 1,2,2,1 64 64 64 192 6 3');
    expect(sizes('demo')).toBe('16 1,1,1,1 32 32 64 192 6 3');
    const small: SanetPlan[] = [presetPlan('tiny'), presetPlan('demo')];
    for (const {
      data,
      method: { cross, sam, network2d },
    } of small) {
      expect([data.roi, cross.slices, cross.pseudo, cross.lambdaMax, sam.clicks, network2d.resize]).toEqual([
        [16, 64, 64],
        [8, 8],
        'selected',
        0.5,
        1,
        1,
      ]);
    }
    const large: SanetPlan[] = [presetPlan('base'), presetPlan('paper')];
    for (const {
      method: { cross, sam, network2d },
    } of large) {
      expect([cross.slices, cross.pseudo, cross.lambdaMax, sam.clicks, network2d.resize]).toEqual([[16, 16], 'full', 0.1, 3, 'auto']);
    }
  });

  it('have a description for every item of section D that decides something in a run', () => {
    const cited = new Set(
      [...JSON.stringify(describeAll(schemaWith(sanetSchema))).matchAll(/\[([\d, ]+)\]/g)].flatMap((m) => m[1].split(',').map(Number)),
    );
    const decides = Array.from({ length: 28 }, (_, i) => i + 1).filter((n) => ![23, 24, 27].includes(n));
    expect([...cited].sort((a, b) => a - b)).toEqual(decides);
  });
});

/** Descriptions of a schema, at any depth. */
function describeAll(schema: any): unknown {
  const shape = schema._zod.def.shape;
  return [schema.description, ...(shape ? Object.values(shape).map(describeAll) : [])];
}

describe('a partial plan', () => {
  it('takes the rest from its preset', () => {
    const plan = parsePlan({ preset: 'demo', training: { iterations: 7, precision: 'mixed' }, data: { window: [-100, 100] } });
    const expected = presetPlan('demo');
    expected.training.iterations = 7;
    expected.training.precision = 'mixed';
    expected.data.window = [-100, 100];
    expect(plan).toEqual(expected);
  });
});

describe('a plan of version 1', () => {
  it("is the same plan with SA-Net's part at the top", () => {
    const expected = presetPlan('tiny');
    expected.method.network2d.rate = 5e-4;
    const first = asVersion1(expected);
    expect(Object.keys(first)).toEqual(expect.arrayContaining(['network2d', 'sam', 'cross', 'loss']));
    expect(parsePlan(JSON.parse(JSON.stringify(first)))).toEqual(expected);
  });
  it('may be a part of one, and its mistakes are named where they are now', () => {
    const plan = parsePlan({ preset: 'demo', sam: { clicks: 2 }, optimiser: { rateSam: 1e-3 } }) as SanetPlan;
    expect([plan.method.sam.clicks, plan.method.sam.rate]).toEqual([2, 1e-3]);
    expect(() => parsePlan({ preset: 'demo', version: 1, cross: { slices: 'all' } })).toThrow(/method\.cross\.slices: got "all"/);
    expect(() => parsePlan({ preset: 'demo', version: 2, cross: {} })).toThrow(/cross: unknown field, did you mean "method\.cross"\?/);
  });
});

describe('mistakes are named', () => {
  it.each<[string, unknown, RegExp]>([
    ['method.network2d.nodez', 3, /method\.network2d\.nodez: unknown field\.?/],
    ['method.network2d.graph.nodez', 3, /method\.network2d\.graph\.nodez: unknown field, did you mean "nodes"\?/],
    ['training.itertaions', 3, /did you mean "iterations"\?/],
    ['iterations', 3, /iterations: unknown field, did you mean "training\.iterations"\?/],
    ['training.__proto_', 3, /training\.__proto_: unknown field/],
    ['training.iterations', 0, /training\.iterations: got 0, expected 1 to 10000000/],
    ['training.iterations', 1e12, /got 1000000000000, expected 1 to 10000000/],
    ['training.iterations', 2.5, /got 2\.5, expected a whole number/],
    ['training.iterations', '100', /got "100", expected a number/],
    ['training.iterations', null, /got null, expected a number/],
    ['training.precision', 'f64', /training\.precision: got "f64", expected "f32" or "mixed"/],
    ['training.maxMinutes', -1, /training\.maxMinutes: got -1, expected at least 0\.1/],
    ['method.network2d.rate', 50, /method\.network2d\.rate: got 50, expected 1e-8 to 1/],
    ['optimiser.betas', [0.9], /optimiser\.betas: got \[0\.9\], expected at least 2 entries/],
    ['data.roi', [16, 64], /data\.roi: got \[16,64\], expected at least 3 entries/],
    ['data.roi', [16, 64, 4096], /data\.roi\.2: got 4096, expected 4 to 512/],
    ['data.roi', [512, 512, 512], /data\.roi: got \[512,512,512\], expected at most 33554432 voxels/],
    ['data.window', [600, -1200], /data\.window: got \[600,-1200\], expected low < high/],
    ['data.spacing', 'nativ', /data\.spacing: got "nativ", expected "native", or/],
    ['data.spacing', [0, 1, 1], /data\.spacing\.0: got 0, expected at least 0\.05/],
    ['data', [], /data: got \[\], expected an object/],
    ['method.network2d.width', 100, /method\.network2d\.width: got 100, expected a multiple of 16/],
    [
      'method.network2d.graph.projection',
      'glore',
      /got "glore", a reading that the specification describes and this version does not build, expected "soft-assignment"/,
    ],
    ['method.network2d.graph.projection', 'magic', /projection: got "magic", expected "soft-assignment"/],
    ['method.network2d.recovery.interiorBias', 'no', /interiorBias: got "no", expected true or false/],
    ['method.network2d.recovery.temperature', 'two', /temperature: got "two", expected "learned" or "one"/],
    ['method.network2d.norm', 'ln', /norm: got "ln", expected "bn" or "gn"/],
    ['method.network2d.rates', [1, 2, 4, 64], /method\.network2d\.rates\.3: got 64, expected 1 to 32/],
    ['method.network2d.graph.nodes', 64, /method\.network2d\.graph\.nodes: got 64, expected 32/],
    ['method.sam.heads', 5, /method\.sam\.width: got 192, expected a multiple of sam\.heads \(5\)/],
    ['split.fold', 5, /split\.fold: got 5, expected 0 to 4/],
    ['method.cross.softThreshold', 0.95, /method\.cross\.softThreshold: got 0\.95, expected at most cross\.hardThreshold \(0\.9\)/],
    [
      'method.cross.slices',
      [8, 16],
      /method\.cross\.slices\.1: got 16, expected at most cross\.microBatch \(8\) with cross\.pseudo "selected"/,
    ],
    ['name', '../x', /name: got "\.\.\/x", expected letters/],
    ['version', 3, /version: got 3, expected 2/],
    ['method.name', 'unet', /method\.name: got "unet", expected "sanet"/],
    [
      'evaluation.headline',
      'resnet',
      /evaluation\.headline: got "resnet", expected "ensemble" or "sam" or "vnet" or "transverse" or "coronal"/,
    ],
    ['preset', 'huge', /preset: got "huge", expected "demo" or "tiny" or "base" or "paper"/],
  ])('%s = %j', (path, value, message) => {
    expect(() => parsePlan(withField(path, value), 'plan.json')).toThrow(DataError);
    expect(() => parsePlan(withField(path, value), 'plan.json')).toThrow(message);
    expect(() => parsePlan(withField(path, value), 'plan.json')).toThrow(/^plan\.json: /);
  });

  it('all at once', () => {
    const json = withField('training.iterations', -1) as { method: { cross: { slices: unknown } } };
    json.method.cross.slices = 'all';
    expect(() => parsePlan(json)).toThrow(
      /2 fields cannot be used:\n  method\.cross\.slices: got "all"[^]*\n  training\.iterations: got -1/,
    );
  });

  it('of version 1 beside a method, which it does not have: another would be trained', () => {
    expect(() => parsePlan({ ...presetPlan('tiny', 'vnet'), version: 1 }, 'p.json')).toThrow(
      /p\.json: version: got 1 beside "method", which plans of version 1 do not have, expected 2/,
    );
  });

  it.each([
    ['sam', 'sam'],
    ['network2d', 'transverse'],
  ])('a headline that %s.enabled false leaves out', (part, headline) => {
    const json = withField(`method.${part}.enabled`, false) as { evaluation: { headline: string } };
    json.evaluation.headline = headline;
    expect(() => parsePlan(json)).toThrow(new RegExp(`evaluation\\.headline: got "${headline}", a network that the plan leaves out`));
  });

  it('in files that are no plan', () => {
    expect(() => parsePlanText('{"preset": "tiny",', 'p.json')).toThrow(/p\.json: not JSON/);
    expect(() => parsePlanText('[]', 'p.json')).toThrow(/p\.json: got \[\], expected an object/);
    expect(() => parsePlanText('{}', 'p.json')).toThrow(/preset: got nothing/);
  });
});

describe('a plan for a data set', () => {
  const nodules = {
    name: 'lidc nodules',
    classes: ['background', 'nodule'],
    medianSpacing: [2, 0.7, 0.7],
    medianSize: [14, 64, 64],
  } as const;
  const organs = {
    name: 'abdomen',
    classes: ['background', 'liver', 'kidney'],
    medianSpacing: [5, 0.8, 0.8],
    medianSize: [80, 512, 512],
  } as const;

  it('keeps nodules native and centred', () => {
    const plan = parsePlan(inferPlan(nodules, 'tiny'));
    expect([
      plan.name,
      plan.classes,
      plan.data.spacing,
      plan.data.sampling,
      plan.data.window,
      (plan as SanetPlan).method.cross.quality,
    ]).toEqual(['lidc_nodules', ['background', 'nodule'], 'native', 'centre', [-1200, 600], 'dice']);
  });
  it('resamples organs, never to finer than they are, and samples patches', () => {
    const {
      data,
      method: { cross },
    } = parsePlan(inferPlan(organs, 'base')) as SanetPlan;
    expect([data.spacing, data.roi, data.sampling, data.window, data.normalise]).toEqual([
      [5, 2, 2],
      [96, 96, 96],
      'foreground',
      [-160, 240],
      'z-score',
    ]);
    expect([cross.quality, cross.qualityBar]).toEqual(['accuracy', 0.98]);
  });
  it('samples patches of large volumes with one class', () => {
    expect(inferPlan({ ...nodules, medianSize: [300, 512, 512] }, 'tiny').data.sampling).toBe('foreground');
  });
});

describe('ablate', () => {
  it('switches parts off and leaves its argument alone', () => {
    const plan = presetPlan('demo');
    const less = ablate(plan, ['msa', 'bgc', 'rm', 'cross', '2d']);
    expect([
      less.method.network2d.useMSA,
      less.method.network2d.useBGC,
      less.method.network2d.useRM,
      less.method.cross.enabled,
      less.method.network2d.enabled,
      less.method.sam.enabled,
    ]).toEqual([false, false, false, false, false, true]);
    expect(plan).toEqual(presetPlan('demo'));
  });
  it('refuses what is no part, and switching everything off', () => {
    expect(() => ablate(presetPlan('demo'), ['foo'])).toThrow(UsageError);
    expect(() => ablate(presetPlan('demo'), ['foo'])).toThrow(/got "foo", expected msa, bgc, rm, cross, 2d, sam/);
    expect(() => ablate(presetPlan('demo'), ['2d', 'sam'])).toThrow(/at least one network/);
  });
});
