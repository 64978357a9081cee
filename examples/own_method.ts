// SPDX-License-Identifier: MIT
// A network of one's own, trained on sparse labels by the loop that SA-Net is trained by, then predicted, evaluated and reported.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conv3d, GroupNorm, openDevice, ReLU, Sequential, Upsample } from 'voxelgrad';
import * as sanet from 'voxelgrad/sanet';
import { z } from 'zod';

/** Half resolution inside, full resolution out: x [B, D, H, W, 1] -> logits [B, D, H, W, K]. */
const twoScales = (width: number, classes: number): Sequential =>
  new Sequential(
    new Conv3d(1, width, 3, { padding: 1, bias: true }),
    new ReLU(),
    new Conv3d(width, 2 * width, 3, { padding: 1, stride: 2, bias: true }),
    new GroupNorm(1, 2 * width),
    new ReLU(),
    new Conv3d(2 * width, width, 3, { padding: 1, bias: true }),
    new Upsample({ scale: 2, mode: 'linear' }),
    new ReLU(),
    new Conv3d(width, classes, 1, { bias: true }),
  );

sanet.addMethod(
  sanet.supervised('two_scales', {
    network: z.strictObject({ width: z.int().min(1).max(64) }),
    preset: () => ({ network: { width: 8 }, rate: 1e-2, decay: 1e-4 }),
    make: ({ width }, classes) => twoScales(width, classes),
  }),
);

const folder = mkdtempSync(join(tmpdir(), 'own-method-'));
const [data, run, page] = ['data', 'run', 'report.html'].map((name) => join(folder, name));
await sanet.writePhantomDataset(data, { training: 8, test: 2, size: [8, 32, 32], seed: 5, radii: [4, 9], contrast: 400 });
await sanet.sparsify(data, 'transverse', 7); // every third slice keeps its labels
const dataset = await sanet.openDataset(data);

const draft = sanet.presetPlan('demo', 'two_scales');
Object.assign(draft, { classes: dataset.info.classes.map((c) => c.name) });
Object.assign(draft.training, { iterations: 60, batch: 2 });
Object.assign(draft.data, { roi: [8, 32, 32], jitter: [0, 2, 2] });
const plan = sanet.parsePlan(draft);

using _device = await openDevice();
await sanet.train({ plan, dataset, folder: run, resume: false });
const predictor = await sanet.methodOf(plan).predictor(plan, await sanet.restoreRun(plan, run, 'final'));
const classes = [{ label: 1, name: 'nodule' }];
const results = [];
for (const { name, images } of dataset.test) {
  const { ensemble } = await sanet.predictCase(plan, predictor, await sanet.readVolume(images[0]));
  const file = join(data, 'labelsTs', `${name}.nii.gz`);
  const labels = sanet.toRas(await sanet.readVolume(file));
  const [reference, prediction] = [labels.data, ensemble].map((voxels) => ({ ...labels, data: Uint8Array.from(voxels) }));
  results.push(sanet.evaluateCase({ case: name, reference_file: file, prediction_file: '', reference, prediction }, classes));
}
const summary = sanet.summarise(results, classes);
const html = sanet.renderReport({ title: 'Two scales on phantoms', summary, log: sanet.readLog(run) });
writeFileSync(page, html);
const dice = summary.foreground.metrics.Dice.mean!.toFixed(1);
console.log(`Dice ${dice} % on ${results.length} unseen phantoms; ${html.length} bytes of report: ${page}`);
