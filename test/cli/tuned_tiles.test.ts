// SPDX-License-Identifier: MIT
// The file of tuned tiles, and which products of a plan are asked for.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { rememberTiles, tunedTiles } from '../../src/cli/tuned_tiles.ts';
import { shapeClasses } from '../../src/train/cost.ts';
import { presetPlan } from '../../src/train/presets.ts';

const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-tiles-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const file = join(folder, 'cache', 'tiles.json');
const adapter = { vendor: 'v', name: 'adapter', driver: '1' };

it('keeps rows by adapter and driver, the newest of a class', () => {
  expect(tunedTiles(adapter, file)).toEqual({});
  rememberTiles(adapter, { 'f32 8x8 1': 'registers 4x4', 'f32 16x8 1': 'registers 4x4' }, file);
  rememberTiles({ ...adapter, driver: '2' }, { 'f32 8x8 1': 'registers 16x2' }, file);
  rememberTiles(adapter, { 'f32 8x8 1': 'registers 8x2 vec4' }, file);
  expect(tunedTiles(adapter, file)).toEqual({ 'f32 8x8 1': 'registers 8x2 vec4', 'f32 16x8 1': 'registers 4x4' });
  expect(tunedTiles({ ...adapter, driver: '2' }, file)).toEqual({ 'f32 8x8 1': 'registers 16x2' });
});

it('a damaged file costs nothing but its rows', () => {
  writeFileSync(file, '{"adapter | 1": {');
  expect(tunedTiles(adapter, file)).toEqual({});
  rememberTiles(adapter, { 'f32 8x8 1': 'registers 4x4' }, file);
  expect(tunedTiles(adapter, file)).toEqual({ 'f32 8x8 1': 'registers 4x4' });
});

it('shape classes of a training step are those its products ask for', async () => {
  const shapes = await shapeClasses(presetPlan('demo'), { software: true });
  expect(shapes.length).toBeGreaterThan(20);
  expect(shapes).toEqual([...new Set(shapes)].sort());
  for (const shape of shapes) expect(shape).toMatch(/^(f32|f16) \d+x\d+ \d+$/);
  const onGpu = await shapeClasses(presetPlan('demo'), { software: false });
  expect(onGpu.filter((shape) => /^f32 \d+x\d+ \d+ k\d+$/.test(shape)).length).toBeGreaterThan(20); // long reductions
});
