// SPDX-License-Identifier: MIT
// A run goes on with the data that it began with: labels, images, annotation, the cases of another data set are noticed by content.
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { changedFiles, fileSums, trainedSums } from '../../src/train/data_files.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { writeVolume } from '../../src/io/node/volume.ts';
import { scratch, volumeOf } from '../data/helpers.ts';
import { slicesAlone, tinyDataset, tinyPlan, writePlan } from './tiny_run.ts';
import { voxelgrad, type Said } from '../cli/voxelgrad.ts';

const root = scratch();
const data = join(root, 'data');
const run = join(root, 'run');
const untouched = join(root, 'untouched');
let fold: { train: string[]; selection: string[]; test: string[] };

async function train(...argv: string[]): Promise<Said> {
  return voxelgrad(['train', ...argv]);
}
const record = (): any => JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
const label = (name: string): string => join(data, 'labelsTr', `${name}.nii.gz`);

beforeAll(async () => {
  await tinyDataset(data);
  cpSync(data, untouched, { recursive: true });
  const plan = writePlan(
    root,
    tinyPlan((p) => {
      slicesAlone(p);
      p.training.iterations = 4;
    }),
  );
  // Stopped at its first iteration.
  let stopped = false;
  const { code } = await voxelgrad(['train', data, '--run', run, '--plan', plan], (text) => {
    if (text.startsWith('iteration 1/') && !stopped) {
      stopped = true;
      process.emit('SIGINT');
    }
  });
  expect(code).toBe(0);
  ({ fold } = record());
});

/** Changes the data, expects a refusal that names the file and leaves the run as it was, and puts the data back. */
async function refused(change: () => void, named: RegExp): Promise<void> {
  const before = readFileSync(checkpointPath(run, 'latest'));
  change();
  const { code, err } = await train(data, '--run', run, '--resume');
  expect([code, err]).toEqual([3, expect.stringMatching(named)]);
  expect(err).toMatch(/not the data that the run began with[^]*hint: .*--data-changed/);
  expect(readFileSync(checkpointPath(run, 'latest')).equals(before)).toBe(true);
  rmSync(data, { recursive: true });
  cpSync(untouched, data, { recursive: true });
}

describe('--resume refuses', () => {
  it('another label, of the same size', () =>
    refused(
      () => cpSync(label(fold.train[1]), label(fold.train[0])),
      new RegExp(`got another file: labelsTr/${fold.train[0]}\\.nii\\.gz \\(changed\\)`),
    ));
  it('another image', () =>
    refused(
      () => cpSync(join(data, 'imagesTr', `${fold.train[1]}_0000.nii.gz`), join(data, 'imagesTr', `${fold.train[0]}_0000.nii.gz`)),
      new RegExp(`imagesTr/${fold.train[0]}_0000\\.nii\\.gz \\(changed\\)`),
    ));
  it('another annotation', () =>
    refused(() => {
      const file = join(data, 'annotations.json');
      const annotations = JSON.parse(readFileSync(file, 'utf8'));
      annotations[fold.train[0]].transverse.pop();
      writeFileSync(file, JSON.stringify(annotations));
    }, /got another file: annotations\.json \(changed\)/));
  it('no annotation any more', () => refused(() => rmSync(join(data, 'annotations.json')), /annotations\.json \(gone\)/));
  it('a whole other data set of the same names', () =>
    refused(() => {
      for (const name of [...fold.train, ...fold.selection]) appendFileSync(label(name), Buffer.alloc(0));
      cpSync(label(fold.train[0]), label(fold.selection[0] ?? fold.train[1]));
      cpSync(label(fold.train[0]), label(fold.train[2]));
    }, /got 2 other files: /));
});

describe('--resume takes', () => {
  it('the same data in another place, and cases that were held out as they are', async () => {
    const moved = join(root, 'moved');
    cpSync(untouched, moved, { recursive: true });
    for (const name of fold.test) cpSync(label(fold.train[0]), join(moved, 'labelsTr', `${name}.nii.gz`));
    let stopped = false;
    const { code } = await voxelgrad(['train', moved, '--run', run, '--resume'], (text) => {
      if (text.startsWith('compiling') && !stopped) {
        stopped = true;
        process.emit('SIGINT');
      }
    });
    expect(code).toBe(0);
    expect(record().dataset).toBe(moved);
  });

  it('changed data where it is told to, and says so in the checkpoint and the record', async () => {
    const {
      provenance: {
        datasets: [{ hash }],
        command,
      },
    } = record();
    cpSync(label(fold.train[1]), label(fold.train[0]));
    const { code, err } = await train(data, '--run', run, '--resume', '--data-changed');
    expect([code, err]).toEqual([0, '']);
    const { state } = await readCheckpoint(checkpointPath(run, 'final'));
    const file = `labelsTr/${fold.train[0]}.nii.gz`;
    expect(state.changes).toEqual([{ iteration: expect.any(Number), files: [`${file} (changed)`] }]);
    const { provenance } = record();
    expect(provenance.datasets[0].hash).not.toBe(hash);
    expect(provenance.command).toBe(command);
    expect(provenance.limitations.join('\n')).toMatch(
      new RegExp(`The data set was changed after \\d iterations: ${file} \\(changed\\)\\.`),
    );
    expect((await train(data, '--run', run, '--resume')).code).toBe(0); // now the data of the run
  });
});

describe('sums of files', () => {
  it('hold the voxels beside a header', async () => {
    const folder = join(root, 'pairs');
    cpSync(untouched, folder, { recursive: true });
    const image = join(folder, 'imagesTr/apart_0000.mhd'),
      dataset = await openDataset(folder),
      scan = { name: 'apart', patient: 'apart', images: [image], label: undefined };
    await writeVolume(image, volumeOf([2, 2, 2], new Int16Array(8)), false);
    const before = await fileSums(dataset, [scan]);
    const voxels = readdirSync(join(folder, 'imagesTr')).find((name) => name.startsWith('apart') && !name.endsWith('.mhd'))!;
    writeFileSync(join(folder, 'imagesTr', voxels), readFileSync(join(folder, 'imagesTr', voxels)).fill(1));
    expect(changedFiles(before, await fileSums(dataset, [scan]))).toEqual([`imagesTr/${voxels} (changed)`]);
  });
  it('hold a series file by file, and what training reads alone', async () => {
    const folder = join(root, 'sums');
    cpSync(untouched, folder, { recursive: true });
    const dataset = await openDataset(folder);
    const name = fold.train[0];
    expect(Object.keys(await trainedSums(dataset, [name])).sort()).toEqual([
      'annotations.json',
      'dataset.json',
      `imagesTr/${name}_0000.nii.gz`,
      `labelsTr/${name}.nii.gz`,
    ]);
    const series = join(folder, 'imagesTr/series_0000');
    mkdirSync(join(series, 'deeper'), { recursive: true });
    for (const [file, text] of [
      ['1.dcm', 'one'],
      ['deeper/2.dcm', 'two'],
    ])
      writeFileSync(join(series, file), text);
    const sums = await fileSums(dataset, [{ name: 'series', patient: 'series', images: [series], label: undefined }]);
    expect(Object.keys(sums)).toEqual([
      'annotations.json',
      'dataset.json',
      'imagesTr/series_0000/1.dcm',
      'imagesTr/series_0000/deeper/2.dcm',
    ]);
  });
});
