// SPDX-License-Identifier: MIT
// What a person takes away. Names of patients and what else a scan's file says of them stay, but where a DICOM object needs them.
import { DataError, VoxelgradError } from '../../errors.ts';
import { parseJson } from '../../files/json.ts';
import type { DicomReference } from '../../io/browser/dicom.ts';
import { volumeBytes } from '../../io/browser/volume.ts';
import type { Plan } from '../../methods/plan.ts';
import { onStoredGrid } from '../../train/inference.ts';
import { parsePlanText } from '../../train/plan.ts';
import { newestIn } from '../../train/start.ts';
import type { PageRun } from '../../io/browser/run.ts';
import type { Export, ExportChoice } from '../protocol.ts';
import { drawnOn, rasGrid } from './cases.ts';
import { referenceFile } from './incoming.ts';
import type { Masks } from './masks.ts';
import { MEANINGS } from './meanings.ts';
import { gridOf } from './record.ts';
import { sessionFile } from './session_file.ts';
import type { SessionStore } from './session_store.ts';

const IGNORED = 255;
const CLINICAL = 'Not for clinical use.';
const blobOf = (bytes: Uint8Array, type: string): Blob => new Blob([bytes as Uint8Array<ArrayBuffer>], { type });

async function keptMask(store: SessionStore, masks: Masks, name: string): Promise<{ labels: Uint8Array; made: string[] }> {
  const mask = await masks.mask(name);
  if (!mask) throw new VoxelgradError('USAGE', `export: ${name} has no mask yet.`, 'Make it first.');
  const made = `Made after ${mask.iteration} iterations of run ${mask.run} of session ${store.record.name}.`;
  return {
    labels: mask.labels,
    made: [made, ...(mask.votes === undefined ? [] : [mask.votes]), ...mask.doubts.map((doubt) => `${name}: ${doubt}`)],
  };
}

async function newestRun(store: SessionStore): Promise<{ run: PageRun; plan: Plan }> {
  const number = store.record.runs.length;
  if (number === 0) throw new VoxelgradError('USAGE', 'export: nothing was trained yet.', 'Train first.');
  const run = await store.run(number);
  return { run, plan: parsePlanText(new TextDecoder().decode(await run.read('plan.json')), 'plan.json') };
}

async function segmentation(store: SessionStore, masks: Masks, name: string): Promise<Export> {
  const record = store.caseOf(name),
    file = referenceFile(name);
  if (record.format !== 'dicom' || !(await store.files.has(file)))
    throw new DataError(`${name}: no DICOM segmentation of it, for the scan did not come as DICOM here.`, 'Take the mask as NIfTI.');
  const reference = parseJson(await store.files.read(file), file) as DicomReference;
  const { labels, made } = await keptMask(store, masks, name);
  const { data, ...grid } = onStoredGrid(labels, { native: rasGrid(record), stored: gridOf(record) });
  const [{ dicomSegmentation }, { default: manifest }] = await Promise.all([import('./dicom_seg.ts'), import('../../../package.json')]);
  return {
    name: `${name}_seg.dcm`,
    blob: blobOf(dicomSegmentation(data as Uint8Array, grid, store.record.classes, reference, manifest.version), 'application/dicom'),
    notes: [
      'Names the patient and the study as the scan does: an archive files it by them.',
      `Segments are coded as ${store.record.classes
        .slice(1)
        .map(({ name: each, meaning }) => `${each}: ${MEANINGS[meaning ?? 'tissue'].text}`)
        .join('; ')}. Choose in Classes what each is.`,
      ...made,
      CLINICAL,
    ],
  };
}

export async function exportFile(
  store: SessionStore,
  masks: Masks,
  choice: ExportChoice,
  tell: (done: number, total: number) => void,
): Promise<Export> {
  if (choice.what === 'mask' && choice.format === 'dicom-seg') return segmentation(store, masks, choice.name);
  if (choice.what === 'mask' || choice.what === 'annotation') {
    const record = store.caseOf(choice.name),
      places = { native: rasGrid(record), stored: gridOf(record) };
    if (choice.what === 'mask') {
      const { labels, made } = await keptMask(store, masks, choice.name);
      const name = `${choice.name}_mask.nii.gz`;
      return {
        name,
        blob: blobOf(await volumeBytes(name, onStoredGrid(labels, places)), 'application/gzip'),
        notes: ['Nothing about the patient is in it.', ...made, CLINICAL],
      };
    }
    const drawn = await drawnOn(store, choice.name),
      [D, H, W] = places.native.size,
      { transverse, coronal } = record;
    const [on, across] = [new Set(transverse), new Set(coronal)];
    for (let d = 0, i = 0; d < D; d++)
      for (let h = 0; h < H; h++) for (let w = 0; w < W; w++, i++) if (!on.has(d) && !across.has(h)) drawn[i] = IGNORED;
    const name = `${choice.name}_annotation.nii.gz`;
    return {
      name,
      blob: blobOf(await volumeBytes(name, onStoredGrid(drawn, places)), 'application/gzip'),
      notes: ['Nothing about the patient is in it.', `${IGNORED}: not annotated.`],
    };
  }
  if (choice.what === 'session')
    return {
      name: `${store.record.name.replace(/[^\p{L}\p{N}_.-]+/gu, '_')}.zip`,
      blob: await sessionFile(store, tell),
      notes: [
        'The scans are in it as they were opened; headers of NIfTI files may say more than the image.',
        'Names and numbers of DICOM files are not in it: DICOM segmentations can be made here alone.',
        'Runs before the newest one are not in it.',
      ],
    };
  const { run, plan } = await newestRun(store);
  if (choice.what === 'plan')
    return { name: 'plan.json', blob: new Blob([`${JSON.stringify(plan, null, 2)}\n`], { type: 'application/json' }), notes: [] };
  if (choice.what === 'report')
    return {
      name: 'report.html',
      blob: new Blob([await (await import('./report.ts')).reportOf(store.record, run, plan)], { type: 'text/html' }),
      notes: ['Nothing was evaluated: no case was held out.', CLINICAL],
    };
  const { name, state } = await newestIn(run);
  return {
    name: 'model.safetensors',
    blob: blobOf(await run.read(name), 'application/octet-stream'),
    notes: [
      `After ${state.iteration} iterations. It belongs to its plan: take that, too.`,
      'Weights can give away what they were trained on.',
      CLINICAL,
    ],
  };
}
