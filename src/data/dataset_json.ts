// SPDX-License-Identifier: MIT
// dataset.json, as nnU-Net v2 writes it (and the older Decathlon form), with three fields of our own: patients, folds, label_source.
import * as z from 'zod';
import { DataError } from '../errors.ts';
import { VOLUME_ENDINGS } from '../io/endings.ts';
import type { CaseSource } from './case_source.ts';
import type { Hear } from './finding.ts';
import { issueTexts } from './issue.ts';

const nameToText = z.record(z.string(), z.string());

const DatasetJson = z.looseObject({
  name: z.string().optional(),
  /** "0": "CT", ... (Decathlon: modality). */
  channel_names: nameToText.optional(),
  modality: nameToText.optional(),
  /** name -> value, background 0; Decathlon: value -> name. */
  labels: z.record(z.string(), z.union([z.number(), z.string(), z.array(z.number())])),
  numTraining: z.number().optional(),
  file_ending: z.string().optional(),
  /** nnU-Net v2's explicit file list. */
  dataset: z.record(z.string(), z.looseObject({ images: z.array(z.string()), label: z.string().optional() })).optional(),
  /** Decathlon's explicit file lists. */
  training: z.array(z.looseObject({ image: z.string(), label: z.string() })).optional(),
  test: z.array(z.union([z.string(), z.looseObject({ image: z.string() })])).optional(),
  /** case -> patient, where one patient has several cases; splits never divide a patient. */
  patients: nameToText.optional(),
  /** case -> fold, where the data set brings its own (LUNA16's subsets in pairs; `ownFolds`). */
  folds: z.record(z.string(), z.number().int().nonnegative()).optional(),
  /** "sphere": the masks are balls of the annotated diameter, not drawn ones; every result says so. */
  label_source: z.string().optional(),
});

/** The parsed file. */
export type DatasetJson = z.infer<typeof DatasetJson>;

/** A foreground or background class. */
export interface LabelClass {
  readonly name: string;
  readonly value: number;
}

/** What dataset.json says, checked. `classes[i].value === i`; `ignore` is the value of unannotated voxels or undefined. */
export interface DatasetInfo {
  readonly json: DatasetJson;
  readonly classes: readonly LabelClass[];
  readonly ignore: number | undefined;
  readonly channels: readonly string[];
  readonly ending: (typeof VOLUME_ENDINGS)[number];
}

/** Reads dataset.json. Everything that is wrong is told to `hear`; undefined where the file is then of no use. */
export async function datasetInfo(source: CaseSource, hear: Hear): Promise<DatasetInfo | undefined> {
  const file = source.path('dataset.json');
  let content: unknown;
  try {
    content = await source.json('dataset.json');
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    hear(error);
    return undefined;
  }
  const parsed = DatasetJson.safeParse(content);
  if (!parsed.success) {
    for (const text of issueTexts(parsed.error, content))
      hear(
        new DataError(
          `${file}: ${text}.`,
          'Write for example {"channel_names": {"0": "CT"}, "labels": {"background": 0, "nodule": 1}, "file_ending": ".nii.gz"}.',
        ),
      );
    return undefined;
  }
  const json = parsed.data;
  const labels = readLabels(file, json.labels, hear);
  const ending = VOLUME_ENDINGS.find((e) => e === (json.file_ending ?? '.nii.gz'));
  if (!ending) hear(new DataError(`${file}: file_ending, got "${json.file_ending}", expected one of ${VOLUME_ENDINGS.join(', ')}.`));
  if (!labels || !ending) return undefined;
  const channels = Object.entries(json.channel_names ?? json.modality ?? { 0: 'CT' })
    .sort((a, b) => Number(a[0]) - Number(b[0]))
    .map(([, name]) => name);
  return { json, ...labels, channels, ending };
}

/** Undefined where anything is wrong with them. */
function readLabels(file: string, labels: DatasetJson['labels'], hear: Hear): Pick<DatasetInfo, 'classes' | 'ignore'> | undefined {
  let right = true;
  const wrong = (what: string, hint?: string): void => {
    right = false;
    hear(new DataError(`${file}: ${what}.`, hint));
  };
  const all = Object.entries(labels)
    .flatMap(([key, value]): LabelClass[] => {
      if (Array.isArray(value)) {
        wrong(
          `labels.${key}, got a region of several values, expected one integer`,
          'Region-based labels are not supported: give each structure its own value.',
        );
        return [];
      }
      const [name, number] = typeof value === 'string' ? [value, Number(key)] : [key, value];
      if (/[\0-\x1f\x7f-\x9f]/.test(name))
        wrong(`labels, got the name ${JSON.stringify(name)}, expected one without control characters`, 'Rename the class.');
      if (!Number.isInteger(number) || number < 0 || number > 255) {
        wrong(`labels.${key}, got ${value}, expected an integer from 0 to 255`);
        return [];
      }
      return [{ name, value: number }];
    })
    .sort((a, b) => a.value - b.value);
  const ignore = all.find((c) => c.name === 'ignore')?.value;
  const classes = all.filter((c) => c.name !== 'ignore');
  // One class out of place moves all behind it: the first says it.
  const stray = right ? classes.findIndex((c, i) => c.value !== i) : -1;
  if (stray >= 0)
    wrong(
      `labels are not consecutive, got "${classes[stray].name}": ${classes[stray].value}, expected ${stray}`,
      ignore === stray
        ? '"ignore" must be the highest label.'
        : 'Background is 0 and the others follow without a gap: renumber the labels.',
    );
  if (right && ignore !== undefined && ignore < classes.length)
    wrong(`labels.ignore, got ${ignore}, expected ${classes.length} (the highest)`, 'Renumber the labels.');
  if (classes.length < 2) wrong(`labels, got ${classes.length} class, expected background and at least one more`);
  return right ? { classes, ignore } : undefined;
}

/** `name` inside the data set; DataError if it is absolute or leads out of it. */
export function insideSource(source: CaseSource, name: string, where: string): string {
  const path = source.inside(name);
  if (path === undefined)
    throw new DataError(
      `${where}: a path that leads out of the data set, got "${name}", expected a file below ${source.folder}.`,
      'Copy or link the file into the data set and name it there.',
    );
  return path;
}
