// SPDX-License-Identifier: MIT
// Scans that are smaller than a run of the networks, by `predict`: they share it, and each gets what it would get alone.
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { readVolume } from '../../src/io/node/volume.ts';
import { Predictor } from '../../src/methods/sanet/predictor.ts';
import { slicesAlone, tinyDataset, tinyPlan } from '../train/tiny_run.ts';
import { memoryScratch } from './processes.ts';
import { untrained } from './untrained.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = memoryScratch();
const at = (...parts: string[]): string => join(root, ...parts);
const predict = (from: string, to: string) => voxelgrad(['predict', '-i', from, '-o', at(to), '--run', at('run'), '--json']);
const masks = (folder: string): string[] => readdirSync(at(folder)).filter((name) => name.endsWith('.nii.gz'));
const SCANS = ['a', 'b', 'c', 'd', 'e', 'f'];

beforeAll(async () => {
  await tinyDataset(at('data'));
  await untrained(
    at('run'),
    tinyPlan((p) => {
      slicesAlone(p);
      p.prediction.step = 1;
      p.training.seed = 1; // finds something in every phantom, and not the same
    }),
  );
  for (const folder of ['scans', 'spoilt']) {
    mkdirSync(at(folder));
    for (const [k, name] of SCANS.entries()) copyFileSync(at(`data/imagesTr/phantom_00${k}_0000.nii.gz`), at(folder, `${name}.nii.gz`));
  }
});

it('six scans are one run, and none gets the mask of another', async () => {
  const run = vi.spyOn(Predictor.prototype, 'run');
  const { code, err } = await predict(at('scans'), 'masks');
  expect(code, err).toBe(0);
  expect(run.mock.calls.map(([images]) => images.length).slice(2)).toEqual([SCANS.length]); // after those that told the memory
  run.mockRestore();
  const found = await Promise.all(SCANS.map((name) => readVolume(at('masks', `${name}.nii.gz`))));
  for (const [k, name] of SCANS.entries()) {
    expect((await predict(at('scans', `${name}.nii.gz`), `alone_${name}`)).code).toBe(0);
    const { data } = await readVolume(at(`alone_${name}/${name}.nii.gz`));
    const apart = found.map((other) => data.filter((v: number, i: number) => v !== other.data[i]).length / data.length);
    for (const [other, share] of apart.entries())
      if (other === k)
        expect(share, name).toBeLessThan(1e-3); // a GPU adds up more scans in another order
      else expect(share, `${name} beside ${SCANS[other]}`).toBeGreaterThan(1e-2);
  }
});

it('a scan that cannot be read ends it when those before it have their masks', async () => {
  writeFileSync(at('spoilt/d.nii.gz'), 'no volume');
  const { code, err } = await predict(at('spoilt'), 'spoilt_masks');
  expect(code).toBe(3);
  expect(err).toContain('d.nii.gz');
  expect(masks('spoilt_masks')).toEqual(['a.nii.gz', 'b.nii.gz', 'c.nii.gz']);
  expect(readdirSync(at('spoilt_masks/records'))).toHaveLength(3);
});
