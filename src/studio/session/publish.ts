// SPDX-License-Identifier: MIT
// What is drawn as the data set that training reads, in `data`: labels on the grid of their scans, annotations.json, dataset.json. Only
// what changed is written, so that an untouched session keeps its files to the byte, and a run its data.
import type { Dataset } from '../../data/dataset.ts';
import { openDataset } from '../../io/browser/dataset.ts';
import { volumeBytes } from '../../io/browser/volume.ts';
import { onStoredGrid } from '../../train/inference.ts';
import { drawnOn, rasGrid } from './cases.ts';
import { gridOf, type CaseRecord, type SessionRecord } from './record.ts';
import type { SessionStore } from './session_store.ts';

/** A case is trained on as soon as one of its slices is annotated. */
export const isTrained = ({ transverse, coronal }: CaseRecord): boolean => transverse.length + coronal.length > 0;
const labelOf = (name: string): string => `labelsTr/${name}.nii.gz`;

function datasetJson({ name, classes, cases }: SessionRecord): string {
  const trained = cases.filter(isTrained);
  return JSON.stringify(
    {
      name,
      channel_names: { 0: 'CT' },
      labels: Object.fromEntries(classes.map((each, value) => [each.name, value])),
      numTraining: trained.length,
      file_ending: '.nii.gz',
      dataset: Object.fromEntries(trained.map((each) => [each.name, { images: [each.image], label: labelOf(each.name) }])),
      test: cases.filter((each) => !isTrained(each)).map(({ image }) => image),
    },
    null,
    1,
  );
}

function annotationsJson({ cases }: SessionRecord): string {
  const planes = (each: CaseRecord): unknown => {
    const [D, H] = rasGrid(each).size;
    return each.transverse.length === D || each.coronal.length === H ? 'all' : { transverse: each.transverse, coronal: each.coronal };
  };
  return JSON.stringify(Object.fromEntries(cases.filter(isTrained).map((each) => [each.name, planes(each)])));
}

/** Brings `data` up to what is drawn. */
export async function publish(store: SessionStore, onCase?: (done: number, total: number) => void): Promise<void> {
  const { files } = store;
  const changed = store.record.cases.filter(({ dirty }) => dirty);
  if (changed.length === 0 && !store.record.dirty) return;
  for (const [i, record] of changed.entries()) {
    const way = `data/${labelOf(record.name)}`;
    if (isTrained(record)) {
      const label = onStoredGrid(await drawnOn(store, record.name), { native: rasGrid(record), stored: gridOf(record) });
      await files.copy(new Blob([(await volumeBytes(way, label)) as Uint8Array<ArrayBuffer>]), way);
    } else await files.remove(way);
    onCase?.(i + 1, changed.length);
  }
  await files.write('data/annotations.json', annotationsJson(store.record));
  await files.write('data/dataset.json', datasetJson(store.record));
  const written = new Set(changed.map(({ name }) => name));
  await store.save(({ cases }) => ({
    dirty: false,
    // Drawn on while this wrote: the marks are not the same list any more.
    cases: cases.map((now) => {
      const then = changed.find(({ name }) => name === now.name);
      return written.has(now.name) && then!.transverse === now.transverse && then!.coronal === now.coronal ? { ...now, dirty: false } : now;
    }),
  }));
}

/** `data` as it is, for the loop; what is drawn and not published is not in it. */
export async function datasetOf(store: SessionStore): Promise<Dataset> {
  const files = new Map(
    (await store.files.list()).filter(({ name }) => name.startsWith('data/')).map(({ name, file }) => [name.slice(5), file]),
  );
  return openDataset('data', files);
}
