// SPDX-License-Identifier: MIT
// voxelgrad plan: writes the editable JSON plan of a run, or its schema.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import * as z from 'zod';
import { channelWords } from '../data/hounsfield.ts';
import { openDataset } from '../io/node/dataset/open.ts';
import { DataError } from '../errors.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import { iterationCost, networkSizes } from '../train/cost.ts';
import { fingerprintOf } from '../train/fingerprint.ts';
import { ablate, parsePlan } from '../train/plan.ts';
import { METHODS } from '../methods/methods.ts';
import { schemaWith, PRESETS, type Preset } from '../methods/plan.ts';
import { inferPlan, presetPlan } from '../train/presets.ts';
import { progress } from './progress.ts';
import type { Context, Outcome, Verb } from './verb.ts';

interface Options {
  readonly preset: Preset;
  readonly method: string;
  readonly out?: string;
  readonly ablate?: string;
  readonly force?: boolean;
  readonly schema?: boolean;
}

/** Indented JSON with lists of plain values on one line, as a person would edit it. */
export function editableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, inner: string) => `[${inner.replace(/\s*\n\s*/g, ' ')}]`);
}

async function make(folder: string | undefined, options: Options, context: Context): Promise<Outcome> {
  const file = options.out ?? (folder === undefined ? undefined : join(folder, 'plan.json'));
  if (file !== undefined && existsSync(file) && !options.force)
    throw new DataError(`${file}: exists already.`, 'Choose another name with --out, or replace it with --force.');
  const dataset = folder === undefined ? undefined : await openDataset(folder);
  const channels = dataset && channelWords(dataset.info.channels);
  if (channels !== undefined) context.note(`${join(folder!, 'dataset.json')}: ${channels}`);
  const draft = dataset
    ? inferPlan(await fingerprintOf(dataset, progress('plan', context)), options.preset, options.method)
    : presetPlan(options.preset, options.method);
  const plan = ablate(parsePlan(draft), options.ablate?.split(',').map((part) => part.trim()) ?? []);
  // Tracing an iteration takes seconds: only for those who ask for all there is to know.
  const cost = context.json ? { parameters: networkSizes(plan), iteration: await iterationCost(plan) } : {};
  if (file === undefined) return { text: editableJson(plan), json: { plan, ...cost } };
  writeFileAtomic(file, `${editableJson(plan)}\n`);
  return {
    text:
      `${file}: ${plan.method.name}, preset ${plan.preset}, ${plan.classes.length} classes, ROI ${plan.data.roi.join(' x ')}, ` +
      `${plan.training.iterations} iterations`,
    json: { file, plan, ...cost },
  };
}

export const plan: Verb = {
  configure: (command) => {
    command
      .argument('[dataset]', "folder with dataset.json; without it, the preset's own plan is printed")
      .addOption(new Option('--preset <name>', 'size of networks and run').choices(PRESETS).default('tiny'))
      .addOption(new Option('--method <name>', 'what is trained').choices(Object.keys(METHODS)).default('sanet'))
      .option('--out <file>', 'where to write (default: plan.json in the data set)')
      .option('--ablate <parts>', 'switch parts of the method off, comma separated; of sanet: msa, bgc, rm, cross, 2d, sam')
      .option('--force', 'replace an existing file')
      .option('--schema', "print the JSON schema of the method's plans, with what every field means");
  },
  async run([folder], options: Options, context): Promise<Outcome> {
    if (!options.schema) return make(folder, options, context);
    const schema = z.toJSONSchema(schemaWith(METHODS[options.method].schema), { unrepresentable: 'any' });
    return { text: JSON.stringify(schema, null, 2), json: schema };
  },
};
