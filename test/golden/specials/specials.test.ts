// SPDX-License-Identifier: MIT
// Ops and their gradients at zeros, ties, infinities, NaN and the ends of domains against PyTorch.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../../src/gpu/device.ts';
import * as nonlinear from '../../../src/ops/nonlinear.ts';
import * as pointwise from '../../../src/ops/pointwise.ts';
import * as softmaxes from '../../../src/ops/softmax.ts';
import { named } from './form.ts';
import { specials } from './index.ts';
import { prove, readGoldens } from './prove.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** Ops that must have rows, by family. Not here: what computes no value. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  elementwise: [...Object.keys(pointwise), ...Object.keys(nonlinear)].filter((name) => name !== 'detach'),
  reductions: [
    'max',
    'min',
    'sum',
    'mean',
    'prod',
    'sumSquares',
    'sumAbs',
    'countNonzero',
    'argmax',
    'argmin',
    'maxWithIndex',
    'minWithIndex',
    'topk',
    'cumsum',
    'layerNorm',
    'rmsNorm',
    'l2Normalize',
    'batchNorm',
    'groupNorm',
    'instanceNorm',
    'frequencyStatistics',
  ],
  softmax: Object.keys(softmaxes),
};

describe.each(Object.entries(specials))('special values: %s', (family, table) => {
  const goldens = readGoldens(family);

  it('has rows of every op, and goldens of every row alone', () => {
    expect((REQUIRED[family] ?? []).filter((op) => !table[op])).toEqual([]);
    const stored = new Set([...goldens.keys()].map((key) => key.slice(0, key.lastIndexOf('/'))));
    expect([...stored].sort(), 'run test/golden/specials/make.py').toEqual(
      named(table)
        .map((row) => row.id)
        .sort(),
    );
  });

  it.each(named(table))('$id', async (row) => {
    if (row.half && !device.caps.f16) return;
    await prove(row, goldens);
  });
});

it('exceptions are told in docs/precision.md', () => {
  const text = readFileSync(new URL('../../../docs/precision.md', import.meta.url), 'utf8');
  for (const [op, rows] of Object.values(specials).flatMap((table) => Object.entries(table))) {
    if (rows.some((row) => row.except)) expect(text).toContain(`\`${op}\``);
  }
});
