// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { difference, findCases, runCase } from './cases.ts';
import { readModel, readTensor } from './onnx.ts';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const shared = join(root, '../shared/onnx-cases');
const cli = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'test/conformance/main.mjs'), ...args], { encoding: 'utf8', cwd: root });

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('cases of our own', () => {
  it.each(['chain', 'half', 'masks', 'integers', 'transposed_1d'])('%s passes', async (name) => {
    expect(await runCase(join(fixtures, 'right', name))).toEqual({ status: 'passed', why: '' });
  });
  it.each([
    ['double', 'type float64'],
    ['nonzero', 'a result whose size depends on values'],
  ])('%s is skipped: %s', async (name, why) => {
    expect(await runCase(join(fixtures, 'right', name))).toEqual({ status: 'skipped', why });
  });
  it('reports a wrong output as a failure, and frees what it made', async () => {
    const before = device.memory().live;
    const { status, why } = await runCase(join(fixtures, 'wrong/off'));
    expect([status, why]).toEqual(['failed', expect.stringMatching(/^output 0: 4 of 4 differ, element 0 is [\d.]+, expected [\d.]+$/)]);
    expect(device.memory().live).toBe(before);
  });
  it('says what is wrong with a folder that is no case', async () => {
    expect((await runCase(fixtures)).status).toBe('failed');
  });
});

describe('npm run conformance', () => {
  it('ends with the counts; exit code 1 where a case failed', () => {
    const { stdout, status } = cli(fixtures);
    expect(stdout.trim().split('\n').at(-1)).toBe('5 passed, 1 failed, 2 skipped');
    expect(stdout).toContain('failed  wrong/off: output 0: 4 of 4 differ');
    expect(status).toBe(1);
  });
  it('exit code 0 where none failed', () => expect(cli(join(fixtures, 'right')).status).toBe(0));
  it('says where to get cases if there are none; exit code 2', () => {
    const { stdout, status } = cli(join(fixtures, 'absent'));
    expect(stdout).toMatch(/no folder .*absent\. Get one: git clone/);
    expect(status).toBe(2);
    expect(cli(join(root, 'scripts')).stdout).toContain('no case (a folder with model.onnx) below');
  });
});

describe('comparison', () => {
  const want = (values: number[], type = 1) => ({ shape: [values.length], type, values: Float64Array.from(values) });
  const tolerance = { rtol: 1e-3, atol: 1e-7 };
  it.each<[string, number[], 'float32' | 'float16' | 'integer', ReturnType<typeof want>, RegExp | undefined]>([
    ['within', [1.0009, NaN, -Infinity], 'float32', want([1, NaN, -Infinity]), undefined],
    ['beyond', [1.0011], 'float32', want([1]), /1 of 1 differ, element 0 is 1\.0011, expected 1/],
    ['an infinity is no tolerance', [3], 'float32', want([Infinity]), /differ/],
    ['NaN is not a number', [NaN], 'float32', want([0]), /differ/],
    ['another shape', [1, 1], 'float32', want([1]), /got shape \[2\], expected \[1\]/],
    ['another type', [1], 'float32', want([1], 10), /got a float32 tensor, expected float16/],
  ])('%s', (_, got, kind, expected, message) => {
    const wrong = difference([got.length], got, kind, expected, tolerance);
    if (message) expect(wrong).toMatch(message);
    else expect(wrong).toBeUndefined();
  });
  it('refuses what is no protobuf message', () => {
    expect(() => readModel(Uint8Array.of(0x3f))).toThrow('not a protobuf message');
    expect(() => readTensor(Uint8Array.of(0x0a, 0x7f))).toThrow('not a protobuf message');
    expect(() => readModel(Uint8Array.of(0x08, 0x80))).toThrow('runs over the end');
    expect(() => readModel(new Uint8Array())).toThrow('holds no graph');
  });
});

const SAMPLE = [
  'node/test_add_bcast',
  'node/test_attention_4d_attn_mask',
  'node/test_averagepool_2d_ceil',
  'node/test_convtranspose_group_2_image_3',
  'node/test_gather_1',
  'node/test_layer_normalization_3d_axis_negative_2_epsilon',
  'node/test_maxpool_with_argmax_2d_precomputed_strides',
  'node/test_resize_upsample_scales_linear',
  'node/test_adam_multiple',
  'node/test_sce_mean_weight_ii_3d',
  'pytorch-operator/test_operator_addmm',
  'pytorch-converted/test_Conv3d_groups',
];

describe('ONNX backend cases', () => {
  it('a dozen pass', async ({ skip }) => {
    if (!existsSync(shared)) skip('no folder ../shared/onnx-cases');
    expect(findCases(shared).length).toBeGreaterThan(400);
    for (const name of SAMPLE) expect([name, await runCase(join(shared, name))]).toEqual([name, { status: 'passed', why: '' }]);
  });
});
