// SPDX-License-Identifier: MIT
// voxelgrad session: what training reads of a data set and a run, to the byte, under the names that the studio and `train --resume` know.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile } from '../../src/files/zip.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { voxelgrad } from './voxelgrad.ts';

const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-session-'));
const [data, run, out] = ['data', 'run', 'session.zip'].map((name) => join(folder, name));
const verb = async (...words: string[]): Promise<[number, string]> => {
  const { code, out: said, err } = await voxelgrad(['session', ...words]);
  return [code, said + err];
};

beforeAll(async () => {
  await writePhantomDataset(data, { training: 2, test: 1, size: [6, 8, 8], seed: 5, radii: [2, 3], contrast: 300 });
  await sparsify(data, 'both', 7);
  writeFileSync(join(data, 'notes.txt'), 'a list of patients');
  mkdirSync(join(run, 'checkpoints'), { recursive: true });
  for (const name of ['plan.json', 'log.jsonl', 'run.json', 'checkpoints/latest.safetensors']) writeFileSync(join(run, name), name);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('voxelgrad session', () => {
  it('packs the scans, labels and annotation, and the run without what names this machine', async () => {
    expect(await verb(data, '--run', run, '--out', out)).toEqual([0, expect.stringContaining('Drop it on the page')]);
    const zip = new ZipFile(readFileSync(out), out);
    const scans = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter(
      (name) => /\.(json|gz)$/.test(name) && !name.startsWith('.'),
    );
    expect([...zip.names].sort()).toEqual(
      [...scans.map((name) => `data/${name}`), 'run/plan.json', 'run/log.jsonl', 'run/checkpoints/latest.safetensors'].sort(),
    );
    for (const name of scans) expect(Buffer.from(zip.read(`data/${name}`)).equals(readFileSync(join(data, name)))).toBe(true);
    expect(Buffer.from(zip.read('run/plan.json')).toString()).toBe('plan.json');
  });

  it('refuses what is no run, a name that the page would not know, and a run that is not there, leaving no file', async () => {
    expect(await verb(data, '--run', data, '--out', join(folder, 'no.zip'))).toEqual([3, expect.stringContaining('holds no run')]);
    expect(await verb(data, '--run', join(folder, 'gone'), '--out', join(folder, 'no.zip'))).toEqual([
      3,
      expect.stringContaining('holds no run'),
    ]);
    expect(await verb(data, '--out', join(folder, 'no.tar'))).toEqual([3, expect.stringContaining('.zip')]);
    expect(readdirSync(folder).sort()).toEqual(['data', 'run', 'session.zip']);
  });
});
