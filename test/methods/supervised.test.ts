// SPDX-License-Identifier: MIT
// A compared network through the same loop as SA-Net: trained, stopped, resumed to the same bits, predicted, evaluated, reported.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { type Dataset } from '../../src/data/dataset.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { METHODS, methodOf } from '../../src/methods/methods.ts';
import { PRESETS, type Plan } from '../../src/methods/plan.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { train } from '../../src/io/node/run/train.ts';
import { ablate, parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { readLog } from '../../src/io/node/run/log.ts';
import { scratch } from '../data/helpers.ts';
import { tinyDataset, writePlan } from '../train/tiny_run.ts';

const root = scratch();
const data = join(root, 'data');
let dataset: Dataset;
beforeAll(async () => {
  await tinyDataset(data);
  dataset = await openDataset(data);
});

function smallPlan(method: string, change: (plan: any) => void = () => {}): Plan {
  const plan = presetPlan('demo', method);
  plan.classes = ['background', 'nodule'];
  plan.data.roi = [16, 32, 32];
  plan.data.jitter = [1, 2, 2];
  Object.assign(plan.training, { iterations: 6, selections: 1, checkpointEvery: 3, batch: 2 });
  change(plan);
  return parsePlan(JSON.parse(JSON.stringify(plan)));
}

async function session(folder: string, plan: Plan, options: { resume?: boolean; until?: number } = {}): Promise<Map<string, ArrayLike<number>>> {
  using _device = await openDevice();
  const stop = new AbortController();
  const { finished } = await train({
    plan, dataset, folder, resume: options.resume ?? false, signal: stop.signal,
    onProgress: ({ stage, done }) => { if (stage === 'train' && done === options.until) stop.abort(); },
  });
  const { tensors } = await readCheckpoint(checkpointPath(folder, finished ? 'final' : 'latest'));
  return new Map([...tensors].map(([name, { data: values }]) => [name, values as ArrayLike<number>]));
}

describe.each(Object.keys(METHODS))('%s', (method) => {
  it.each(PRESETS)('%s is a whole plan that survives JSON', (preset) => {
    const plan = presetPlan(preset, method);
    expect(parsePlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
    expect(methodOf(plan).name).toBe(method);
    expect(Object.keys(methodOf(plan).networks(plan)).every((name) => methodOf(plan).outputs.includes(name))).toBe(true);
  });
});

describe.each([
  ['vnet', (p: any) => { p.method.network.dropout = 0.5; }],
  ['unet2d', (p: any) => { p.method.slices = 4; }],
  ['unet3d', () => {}],
  ['eoformer', (p: any) => { p.method.network.dropPath = 0.3; }],
  ['convunet', (p: any) => { p.method.network.dropPath = 0.3; }],
  ['henet', () => {}],
  ['ctn', (p: any) => { p.method.network.dropout = 0.05; }],
  ['swin_smt', () => {}],
  ['cross_teaching', (p: any) => { p.method.vnet.dropout = 0.5; p.method.cross.slices = [4, 4]; p.method.cross.warmStart = 0; }],
])('%s', (method, change) => {
  const plan = smallPlan(method, change);
  const names = Object.keys(methodOf(plan).networks(plan));
  const at = (name: string): string => join(root, method, name);
  it('resumes to the same bits, dropout included, two volumes in one tensor', async () => {
    const alone = await session(at('alone'), plan);
    await session(at('stopped'), plan, { until: 2 });
    expect(await session(at('stopped'), plan, { resume: true })).toEqual(alone);
    const rows = readLog(at('alone')).filter((row) => row.loss);
    expect(rows.map(({ loss, norm, lr }) => [loss, norm, lr].map((each) => Object.keys(each!).join()))).toEqual(rows.map(() => Array(3).fill(names.join())));
    for (const name of names) expect(rows.at(-1)!.loss![name], name).toBeLessThan(rows[0]!.loss![name]!);
  });

  it('predicts, is evaluated and reported by its name', async () => {
    const run = async (...argv: string[]): Promise<string> => {
      let text = '';
      const code = await main(argv, { stdout: (t) => { text += t; }, stderr: (t) => { text += t; } });
      expect([code, text]).toEqual([0, expect.anything()]);
      return text;
    };
    await run('train', data, '--run', at('run'), '--plan', writePlan(root, plan, `${method}.json`));
    await run('predict', '-i', join(data, 'imagesTs'), '-o', at('masks'), '--run', at('run'));
    expect(names.filter((name) => !existsSync(at(`masks/${name}`)))).toEqual([]);
    await run('eval', data, at('masks'));
    await run('report', at('run'), '--data', data);
    expect(readFileSync(at('run/report.html'), 'utf8')).toContain(names[0]);
  });
});

it('a plan that does not fit its method says so', () => {
  expect(() => smallPlan('vnet', (p) => { p.data.roi = [8, 32, 32]; })).toThrow(/data\.roi\.0: got 8, expected a multiple of 16 with method "vnet"/);
  expect(() => smallPlan('vnet', (p) => { p.method.sam = {}; })).toThrow(/method\.sam: unknown field/);
  expect(() => smallPlan('vnet', (p) => { p.evaluation.headline = 'sam'; })).toThrow(/expected "ensemble" or "vnet"/);
  expect(() => smallPlan('swin_smt', (p) => { p.data.roi = [8, 32, 36]; })).toThrow(/data\.roi\.2: got 36, expected a multiple of 8 with 2 stages/);
  expect(() => smallPlan('swin_smt', (p) => { p.data.roi = [8, 8, 8]; })).toThrow(/data\.roi: got 8 x 8 x 8, expected a side above 8/);
  expect(() => smallPlan('swin_smt', (p) => { p.method.network.heads = [3, 2, 1]; })).toThrow(/network\.heads: got 3 stages, expected 2/);
  expect(() => smallPlan('ctn', (p) => { p.method.network.swin.heads[1] = 5; })).toThrow(/swin\.heads\.1: got 5, expected a divisor of the stage's 24 channels/);
  expect(() => ablate(smallPlan('vnet'), ['msa'])).toThrow(/expected nothing: vnet has no parts/);
  expect(() => presetPlan('tiny', 'toString')).toThrow(/method: got "toString", expected sanet, vnet, unet2d, unet3d, cross_teaching, eoformer, convunet, henet, ctn, swin_smt/);
});
