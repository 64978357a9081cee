// SPDX-License-Identifier: MIT
// A trained run on labelled cases that it has not seen, in memory: what `voxelgrad predict` and `voxelgrad eval` do with files.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkedLabel, type Case, type Dataset } from '../../../data/dataset.ts';
import { assertSameGeometry } from '../../../data/geometry.ts';
import { toRas } from '../../../data/orientation.ts';
import { DataError } from '../../../errors.ts';
import { digestFile } from '../../../files/digest.ts';
import { readJson } from '../../../files/regular.ts';
import { evaluateCase, type CaseResult } from '../../../metrics/evaluate.ts';
import { summarise, type Summary } from '../../../metrics/summary.ts';
import { methodOf } from '../../../methods/methods.ts';
import { restoreNetworks } from '../../../train/checkpoint.ts';
import { prepareScan, segmentEach } from '../../../train/inference.ts';
import { assertClasses, foldOf } from '../../../train/loop.ts';
import { makeNetworks } from '../../../train/networks.ts';
import { parsePlan } from '../../../train/plan.ts';
import { CHECKPOINTS } from '../../../train/run_store.ts';
import { assertTrainedWith } from '../../../train/trained_plan.ts';
import { readVolume } from '../volume.ts';
import { readTrained } from './checkpoint.ts';
import { checkpointPath } from './folder.ts';

export interface EvaluateRunOptions {
  /** Run folder of `train`. Of its checkpoints: best, else final, else latest. */
  readonly folder: string;
  readonly dataset: Dataset;
  /** Default: all of `dataset.test`. */
  readonly cases?: readonly Case[];
}

/**
 * The headline's masks of labelled cases, scored; for `renderReport`, say. @throws DataError for a case that the run was trained on or
 * chose its weights by, one without a label, a damaged file
 */
export async function evaluateRun({ folder, dataset, cases = dataset.test }: EvaluateRunOptions): Promise<Summary> {
  const file = join(folder, 'plan.json');
  const plan = parsePlan(readJson(file), file);
  assertClasses(plan, dataset);
  const path = [...CHECKPOINTS]
    .reverse()
    .map((which) => checkpointPath(folder, which))
    .find(existsSync);
  if (path === undefined) throw new DataError(`${folder}: no checkpoint, expected a run that was trained.`, 'Train it first.');
  const { state, tensors } = await readTrained(path);
  if (state.trained) assertTrainedWith(plan, state.trained, file);
  const fold = state.fold ?? foldOf(plan, dataset);
  for (const { name, label } of cases) {
    if (fold.train.includes(name) || fold.selection.includes(name))
      throw new DataError(
        `${name}: trained on, or the weights were chosen by it, expected cases that the run has not seen.`,
        'Leave it out.',
      );
    if (label === undefined)
      throw new DataError(`${name}: no label, expected a case to score masks against.`, 'Put its mask into labelsTs.');
  }
  const nets = makeNetworks(plan);
  restoreNetworks(nets, tensors, path);
  const predictor = await methodOf(plan).predictor(plan, nets);
  const { headline, surfaceMm, boundaryTolerance } = plan.evaluation;
  const { ignore, classes } = dataset.info;
  const options = {
    surfaceMm,
    ...(boundaryTolerance !== 'auto' && { theta: boundaryTolerance }),
    ...(ignore !== undefined && { ignoreLabel: ignore }),
  };
  const labels = classes.slice(1).map(({ value, name }) => ({ label: value, name }));
  const results: CaseResult[] = [];
  async function* scans() {
    for (const { name, images, label } of cases) {
      const scan = await readVolume(images[0]),
        mask = await readVolume(label!);
      assertSameGeometry(scan, images[0], mask, label!);
      const reference = checkedLabel(label!, toRas(mask).data, dataset.info);
      yield { ...prepareScan(plan, name, toRas(scan), scan), file: label!, reference };
    }
  }
  for await (const { scan, masks } of segmentEach(plan, predictor, scans(), { ensemble: state.ensemble?.members })) {
    const { name, native, file, reference } = scan;
    const grid = { size: native.size, spacing: native.spacing };
    results.push(
      evaluateCase(
        {
          case: name,
          reference_file: file,
          prediction_file: '',
          reference_digest: (await digestFile(file)).digest,
          reference: { ...grid, data: reference },
          prediction: { ...grid, data: masks[headline] ?? masks.ensemble },
          unlabelled: dataset.annotations.unlabelled.get(name) ?? [],
        },
        labels,
        options,
      ),
    );
  }
  predictor.dispose();
  const patients = new Set(cases.map((c) => c.patient)).size;
  return summarise(results, labels, {
    ...options,
    ...(dataset.info.json.label_source !== undefined && { labelSource: dataset.info.json.label_source }),
    evaluated: { cases: 'held out', n_cases: cases.length, n_patients: patients, masks: null, changed: [] },
  });
}
