// SPDX-License-Identifier: MIT
// Real scans with several organs, through every verb as a user would: a short run each, whole volumes predicted, nothing special
// about them in the code. (How well it segments after twenty iterations is no question.)
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sameGeometry } from '../../src/data/geometry.ts';
import { readVolume } from '../../src/io/node/volume.ts';
import { sharedData } from '../data/helpers.ts';
import { memoryScratch } from './processes.ts';
import { needs } from '../needs.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = memoryScratch();

async function verb(...argv: string[]): Promise<any> {
  const { code, out, err } = await voxelgrad([...argv, '--json']);
  expect(code, err).toBe(0);
  return JSON.parse(out);
}

/** The plan that `plan` makes for a data set, cut short. */
async function shortPlan(data: string, change: (plan: any) => void = () => {}): Promise<string> {
  const { file, plan } = await verb('plan', data, '--preset', 'demo');
  Object.assign(plan.training, { iterations: 20, selections: 1, checkpointEvery: 10 });
  plan.prediction.step = 1; // windows side by side: a software adapter has many of them
  change(plan);
  writeFileSync(file, JSON.stringify(plan));
  return file;
}

/** Predicts, checks grids and labels, evaluates and reports. */
async function throughTheRest(data: string, run: string, names: readonly string[]): Promise<any> {
  const [scans, masks] = [join(run, 'scans'), join(run, 'masks')];
  mkdirSync(scans);
  for (const name of names) copyFileSync(join(data, `imagesTr/${name}_0000.nii.gz`), join(scans, `${name}.nii.gz`));
  await verb('predict', '-i', scans, '-o', masks, '--run', run);
  for (const name of names) {
    const [scan, mask] = [await readVolume(join(data, `labelsTr/${name}.nii.gz`)), await readVolume(join(masks, `${name}.nii.gz`))];
    expect(sameGeometry(scan, mask)).toBe(true);
  }
  const summary = await verb('eval', data, masks, '--allow-missing'); // some of those held out were predicted
  await verb('report', run);
  expect(existsSync(join(run, 'report.html'))).toBe(true);
  return summary;
}

const heads = sharedData('openkbp-headneck');
needs(heads, '../shared/data').describe('openkbp: seven organs of the head and neck, two of them not drawn everywhere', () => {
  it('trains, predicts, evaluates', async () => {
    const [data, run] = [join(root, 'heads'), join(root, 'heads_run')];
    cpSync(heads!, data, { recursive: true });
    const { proposal } = await verb('check', data, '--infer-unlabelled');
    expect(Object.keys(proposal.unlabelled).length).toBeGreaterThan(20); // larynx in 27 of 40, oesophagus in 18
    writeFileSync(join(data, 'annotations.json'), JSON.stringify({ unlabelled: proposal.unlabelled }));
    await verb('sparsify', data, '--mode', 'both');
    expect(JSON.parse(readFileSync(join(data, 'annotations.json'), 'utf8')).unlabelled).toEqual(proposal.unlabelled);

    const trained = await verb(
      'train',
      data,
      '--run',
      run,
      '--plan',
      await shortPlan(data, (plan) => {
        plan.split.selectionShare = 0.02;
      }),
    );
    expect(trained.finished).toBe(true);
    expect(trained.annotation.voxels).toBeGreaterThan(0.5);
    const losses = readFileSync(join(run, 'log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter((e) => e.loss);
    // Each iteration reads another crop: one network's last loss may be above its first (transverse 3.6, 2.5, 3.7; with group norm 4.4,
    // 2.1, 4.0).
    const [first, ...later] = losses.map(({ loss }) => loss as Record<string, number>);
    for (const [name, before] of Object.entries(first)) expect(Math.min(...later.map((loss) => loss[name])), name).toBeLessThan(before);
    const total = (loss: Record<string, number>) => Object.values(loss).reduce((x, y) => x + y, 0);
    expect(total(later.at(-1)!)).toBeLessThan(total(first));

    const names = trained.fold.test.slice(0, 2);
    const summary = await throughTheRest(data, run, names);
    expect(summary.classes).toHaveLength(7);
    const missing = names.flatMap((name: string) => proposal.unlabelled[name] ?? []).length;
    expect(summary.foreground.n_unlabelled).toBe(missing);
    expect(summary.foreground.n_pairs + missing).toBe(14);
  });
});

const torsos = sharedData('totalsegmentator-abdomen');
needs(torsos, '../shared/data').describe('totalsegmentator: liver, kidneys, spleen, pancreas', () => {
  it('imports, trains, predicts, evaluates', async () => {
    const [source, labels, data, run] = ['source', 'labels', 'torsos', 'torsos_run'].map((name) => join(root, name)) as [
      string,
      string,
      string,
      string,
    ];
    for (const folder of [source, labels]) mkdirSync(folder);
    for (const name of ['torso_3mm', 'upper_abdomen_3mm']) {
      copyFileSync(join(torsos!, `${name}_ct.nii.gz`), join(source, `${name}.nii.gz`));
      copyFileSync(join(torsos!, `${name}_seg4.nii.gz`), join(labels, `${name}.nii.gz`));
    }
    await verb('import', source, '--masks', labels, '--to', data, '--classes', 'liver=1,kidney=2,spleen=3,pancreas=4');
    const plan = await shortPlan(data, (p) => {
      Object.assign(p.split, { folds: 2, selectionShare: 0 });
      p.annotation.use = 'transverse';
    });
    const trained = await verb('train', data, '--run', run, '--plan', plan);
    expect(trained.finished).toBe(true);
    expect(trained.annotation.voxels).toBeGreaterThan(0.3);
    expect(trained.annotation.voxels).toBeLessThan(0.37);
    const summary = await throughTheRest(data, run, trained.fold.test);
    expect(summary.classes.map((c: any) => c.name)).toEqual(['liver', 'kidney', 'spleen', 'pancreas']);
    expect(readdirSync(join(run, 'masks/sam'))).toEqual(trained.fold.test.map((name: string) => `${name}.nii.gz`));
  });
});
