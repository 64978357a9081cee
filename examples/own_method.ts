// SPDX-License-Identifier: MIT
// A network of one's own, trained on sparse labels by the loop that SA-Net is trained by, then predicted, evaluated and reported.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conv3d, GroupNorm, Module, openDevice, relu, resize, type Tensor } from 'voxelgrad';
import {
  addMethod, evaluateCase, methodOf, openDataset, parsePlan, predictCase, presetPlan, readLog, readVolume, renderReport, restoreRun, sparsify, summarise, supervised, toRas, train,
  writePhantomDataset,
} from 'voxelgrad/sanet';
import { z } from 'zod';

/** Half resolution inside, full resolution out: x [B, D, H, W, 1] -> logits [B, D, H, W, K]. */
class TwoScales extends Module {
  fine; coarse; norm; middle; head;
  constructor(width: number, classes: number) {
    super();
    this.fine = new Conv3d(1, width, 3, { padding: 1, bias: true });
    this.coarse = new Conv3d(width, 2 * width, 3, { padding: 1, stride: 2, bias: true });
    this.norm = new GroupNorm(1, 2 * width);
    this.middle = new Conv3d(2 * width, width, 3, { padding: 1, bias: true });
    this.head = new Conv3d(width, classes, 1, { bias: true });
  }
  forward(x: Tensor): Tensor {
    const fine = relu(this.fine.forward(x));
    const coarse = this.middle.forward(relu(this.norm.forward(this.coarse.forward(fine))));
    return this.head.forward(relu(resize(coarse, fine.shape.slice(1, 4), { mode: 'linear' })));
  }
}

addMethod(supervised('two_scales', {
  network: z.strictObject({ width: z.int().min(1).max(64) }),
  preset: () => ({ network: { width: 8 }, rate: 1e-2, decay: 1e-4 }),
  make: ({ width }, classes) => new TwoScales(width, classes),
}));

const folder = mkdtempSync(join(tmpdir(), 'own-method-'));
const [data, run] = [join(folder, 'data'), join(folder, 'run')];
await writePhantomDataset(data, { training: 8, test: 2, size: [8, 32, 32], seed: 5, radii: [4, 9], contrast: 400 });
await sparsify(data, 'transverse', 7); // every third slice keeps its labels
const dataset = await openDataset(data);

const draft = presetPlan('demo', 'two_scales');
Object.assign(draft.training, { iterations: 60, batch: 2 });
const plan = parsePlan({ ...draft, classes: dataset.info.classes.map((c) => c.name), data: { ...draft.data, roi: [8, 32, 32], jitter: [0, 2, 2] } });

using _device = await openDevice();
await train({ plan, dataset, folder: run, resume: false });
const predictor = await methodOf(plan).predictor(plan, await restoreRun(plan, run, 'final'));
const results = [];
for (const scan of dataset.test) {
  const { ensemble } = await predictCase(plan, predictor, await readVolume(scan.images[0]));
  const file = join(data, 'labelsTs', `${scan.name}.nii.gz`);
  const labels = toRas(await readVolume(file));
  const reference = { ...labels, data: Uint8Array.from(labels.data) };
  results.push(evaluateCase({ case: scan.name, reference_file: file, prediction_file: '', reference, prediction: { ...reference, data: ensemble } }, [{ label: 1, name: 'nodule' }]));
}
const summary = summarise(results, [{ label: 1, name: 'nodule' }]);
writeFileSync(join(folder, 'report.html'), renderReport({ title: 'Two scales on phantoms', summary, log: readLog(run) }));
console.log(`Dice ${summary.foreground.metrics.Dice.mean!.toFixed(1)} % on ${results.length} unseen phantoms; ${readFileSync(join(folder, 'report.html')).length} bytes of report: ${join(folder, 'report.html')}`);
