// SPDX-License-Identifier: MIT
// voxelgrad label: dense masks for the training cases, ground truth where it is annotated.
import { Option } from 'commander';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { loadCase, type Dataset } from '../data/dataset.ts';
import type { Fold } from '../data/folds.ts';
import { openDataset } from '../io/node/dataset/open.ts';
import { newestCheckpoint } from '../io/node/run/checkpoint.ts';
import { checkpointPath } from '../io/node/run/folder.ts';
import { NAME_RULE } from '../data/names.ts';
import { scanFiles } from '../io/node/dataset/scan_files.ts';
import { digestFiles, digestText } from '../files/digest.ts';
import { annotated, bareCases, leftOpen } from '../train/annotated.ts';
import { changedFiles, trainedSums } from '../train/data_files.ts';
import { assertClasses, foldOf } from '../train/loop.ts';
import { CHECKPOINTS } from '../train/run_store.ts';
import { listed } from '../report/format.ts';
import { assertApart } from './apart.ts';
import { runPlan, type Which } from './members.ts';
import { readRecord } from './run_record.ts';
import { KEPT_RULE, segmentCases } from './segment_cases.ts';
import type { Context, Outcome, Verb } from './verb.ts';

interface Options {
  readonly run: string;
  readonly output: string;
  readonly checkpoint?: Which;
}

/** Labels are copied where they are annotated now, which may not be where they were when the run saw them. */
async function noteChanges(dataset: Dataset, { train, selection }: Fold, run: string, context: Context): Promise<void> {
  if (!CHECKPOINTS.some((which) => existsSync(checkpointPath(run, which)))) return;
  const { data } = (await newestCheckpoint(run)).state;
  const changed = data ? changedFiles(data, await trainedSums(dataset, [...train, ...selection])) : [];
  if (changed.length > 0) context.note(`${dataset.folder}: not as ${run} was trained on it: ${listed(changed, 5)}`);
}

export const label: Verb = {
  configure: (command) => {
    command
      .argument('<dataset>', 'the data set that was trained on')
      .requiredOption('--run <folder>', 'run folder of voxelgrad train')
      .requiredOption('-o, --output <folder>', 'dense masks go here; those of each network into folders below')
      .addOption(new Option('--checkpoint <which>', 'default: best, else final, else latest').choices(['best', 'final', 'latest']))
      .addHelpText('after', KEPT_RULE + NAME_RULE);
  },
  async run([folder], options: Options, context): Promise<Outcome> {
    const plan = runPlan(options.run);
    const dataset = await openDataset(folder);
    assertClasses(plan, dataset);
    for (const place of new Set([
      folder,
      ...dataset.training.flatMap((c) => [...c.images, c.label ?? folder].map((file) => dirname(file))),
    ]))
      assertApart(place, options.output);
    // As the run drew them, whatever cases have come since.
    const fold = (readRecord(options.run).fold as Fold | undefined) ?? foldOf(plan, dataset);
    await noteChanges(dataset, fold, options.run, context);
    const bare = bareCases(plan, dataset, fold);
    const byName = new Map(dataset.training.filter((c) => c.label !== undefined).map((c) => [c.name, c]));
    const result = await segmentCases(
      {
        verb: 'label',
        plan,
        run: options.run,
        out: options.output,
        scans: new Map([...byName].map(([name, c]) => [name, c.images[0]])),
        ...(options.checkpoint && { checkpoint: options.checkpoint }),
        // What is copied: the labels, where this plan says that they are annotated.
        truth: async (name) =>
          digestText(
            JSON.stringify([
              (await digestFiles(await scanFiles(byName.get(name)!.label!))).digest,
              plan.annotation,
              bare.has(name),
              dataset.info.ignore ?? null,
              plan.annotation.use === 'dataset' ? (dataset.annotations.planes.get(name) ?? 'all') : null,
              ...(dataset.annotations.unlabelled.get(name) ?? []),
            ]),
          ),
        read: async (name) => {
          const loaded = await loadCase(dataset, byName.get(name)!);
          const { label: own, unlabelled } = loaded,
            weight = annotated(plan, bare, loaded)!;
          return {
            ...loaded,
            finish: (mask) => {
              for (let i = 0; i < mask.length; i++) if (weight[i] && !leftOpen(own![i], mask[i], unlabelled)) mask[i] = own![i];
            },
          };
        },
      },
      context,
    );
    return {
      text:
        `${result.files.length} dense masks in ${options.output}, ${result.written} of them new (${result.seconds.toFixed(1)} s on ` +
        `${result.adapter}): ground truth where annotated, predictions elsewhere.`,
      json: result,
    };
  },
};
