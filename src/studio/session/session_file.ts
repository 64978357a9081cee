// SPDX-License-Identifier: MIT
// A session as one zip file: `session.json`, `data`, `labels`, `masks` as in its folder, and its newest run as `run`. Unpacked,
// `voxelgrad train data --run run --resume` goes on with it; the other way round, `voxelgrad session data --run run` packs a data set and a
// run of the command line as one.
import { loadCase, type Dataset } from '../../data/dataset.ts';
import { sameGeometry } from '../../data/geometry.ts';
import { DataError } from '../../errors.ts';
import { parseJson } from '../../files/json.ts';
import { ZipFile } from '../../files/zip.ts';
import { MOST_ZIPPED, writeZip } from '../../files/zip_writer.ts';
import { openDataset } from '../../io/browser/dataset.ts';
import { volumeEnding } from '../../io/endings.ts';
import { checkpointFile } from '../../train/run_store.ts';
import { colourOf } from '../protocol.ts';
import { labelsFile, rasGrid } from './cases.ts';
import { maskFactsFile, maskFile } from './masks.ts';
import { annotatedSlices, MORE } from './planes.ts';
import { datasetOf, isTrained, publish } from './publish.ts';
import { gridOf, parseRecord, SESSION_FILE, type CaseRecord, type SessionRecord } from './record.ts';
import { SessionStore } from './session_store.ts';

/** Files of a session by their names in a session file: of runs the newest, of masks those that it made. */
async function filesOf(store: SessionStore): Promise<{ name: string; file: Blob }[]> {
  const { runs, cases, ...record } = store.record,
    run = `runs/${runs.length}/`,
    own = await store.files.list();
  const begun = own.filter(({ name }) => name.startsWith(run)).map(({ name, file }) => ({ name: `run/${name.slice(run.length)}`, file }));
  const drawn = own.filter(({ name }) => /^(data|labels)\//.test(name));
  const masks = await Promise.all(
    cases
      .filter(({ masked }) => masked?.run === runs.length)
      .flatMap(({ name }) => [maskFile(name), maskFactsFile(name)])
      .map(async (name) => {
        const content = await store.files.read(name);
        const renumbered = (): string => JSON.stringify({ ...(parseJson(content, name) as object), run: 1 });
        return { name, file: new Blob([name.endsWith('.json') ? renumbered() : content]) };
      }),
  );
  const told: SessionRecord = {
    ...record,
    runs: begun.length > 0 ? runs.slice(-1) : [],
    cases: cases.map(({ masked, ...each }) => ({ ...each, ...(masked?.run === runs.length && { masked: { ...masked, run: 1 } }) })),
  };
  return [{ name: SESSION_FILE, file: new Blob([JSON.stringify(told, null, 1)]) }, ...drawn, ...masks, ...begun];
}

/** The open session as one file. @throws DataError where it is too large for one */
export async function sessionFile(store: SessionStore, tell: (done: number, total: number) => void): Promise<Blob> {
  await publish(store);
  const files = await filesOf(store);
  const parts: Blob[] = [];
  await writeZip(
    files.map(({ name, file }) => ({
      name,
      size: file.size,
      piece: async (from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer()),
    })),
    (chunk) => void parts.push(new Blob([chunk as Uint8Array<ArrayBuffer>])), // a Blob need not lie in memory
    tell,
  );
  return new Blob(parts, { type: 'application/zip' });
}

const AGAIN = 'It is no whole session: export it again.';
const KNOWN = /^(session\.json|(data|run|labels|masks)\/[^\\]+)$/;

/** Entries by name, below the folder that holds them all if there is one. */
function entriesOf(zip: ZipFile): Map<string, string> {
  const names = zip.names.filter((name) => !name.endsWith('/') && !/(^|\/)(\.|__MACOSX)/.test(name));
  const top = names.find((name) => /(^|\/)data\/dataset\.json$/.test(name))?.slice(0, -'data/dataset.json'.length);
  return new Map(
    names.flatMap((name) => {
      const own = top === undefined ? name : name.startsWith(top) ? name.slice(top.length) : '';
      return KNOWN.test(own) && !own.split('/').includes('..') ? [[own, name] as const] : [];
    }),
  );
}

/** A case of a data set that no session had: its grid, and its drawn labels into `labels`. */
async function caseOf(store: SessionStore, dataset: Dataset, index: number): Promise<CaseRecord> {
  const scan = [...dataset.training, ...dataset.test][index],
    way = scan.images[0];
  const { stored, label, weight, unlabelled, image } = await loadCase(dataset, scan, () => {});
  if (unlabelled.length > 0)
    throw new DataError(
      `annotations.json: unlabelled.${scan.name}: the studio knows no classes that were not drawn.`,
      'Go on with it by the command line.',
    );
  if (label) await store.files.patch(labelsFile(scan.name), label.length, [[0, label]]);
  const slices = label && annotatedSlices(weight!, image.size);
  const ending = volumeEnding(way);
  return {
    name: scan.name,
    format: ending === '.nrrd' ? 'nrrd' : ending === '.mha' ? 'metaimage' : 'nifti',
    image: way.slice(dataset.folder.length + 1),
    stored: stored as unknown as CaseRecord['stored'],
    remarks: slices?.more ? [`${way}: ${MORE.message} ${MORE.remedy}`] : [],
    transverse: slices?.transverse ?? [],
    coronal: slices?.coronal ?? [],
    dirty: false, // the files stay as they came, and the run goes on with the data it began with
  };
}

/** A file of a byte a voxel. @throws DataError for another size, or a class that the session does not have */
async function assertLabels(store: SessionStore, file: string, voxels: number, classes: number): Promise<Uint8Array> {
  const where = `session file: ${file}`,
    found = await store.files.file(file);
  if (found?.size !== voxels)
    throw new DataError(`${where}: ${found ? 'damaged' : 'missing'}, got ${found?.size ?? 0} bytes, expected ${voxels}.`, AGAIN);
  const labels = await store.files.read(file),
    stray = labels.find((v) => v >= classes);
  if (stray !== undefined) throw new DataError(`${where}: got class ${stray}, expected 0 to ${classes - 1}.`, AGAIN);
  return labels;
}

/**
 * What a session says of a case fits its files. @throws DataError: marks without their drawing would teach that nothing is there, and a
 * drawing that is not what `data` holds would be shown while the other is trained on
 */
async function assertWhole(store: SessionStore, dataset: Dataset, { classes }: SessionRecord, record: CaseRecord): Promise<void> {
  const [D, H, W] = rasGrid(record).size,
    { transverse, coronal } = record,
    where = `session file: ${record.name}`;
  const beyond = transverse.find((k) => k >= D) ?? coronal.find((k) => k >= H);
  if (beyond !== undefined)
    throw new DataError(
      `${where}: slice ${beyond} is annotated, expected slices of ${D} transverse and ${H} coronal ones.`,
      'It is damaged.',
    );
  if (record.masked) await assertLabels(store, maskFile(record.name), D * H * W, classes.length);
  const drawn =
    isTrained(record) || (await store.files.has(labelsFile(record.name)))
      ? await assertLabels(store, labelsFile(record.name), D * H * W, classes.length)
      : undefined;
  const scan = [...dataset.training, ...dataset.test].find(({ images }) => images[0] === `data/${record.image}`);
  if (!scan) throw new DataError(`${where}: data/${record.image} is not in data/dataset.json, expected the scan of every case.`, AGAIN);
  const { stored, label, weight } = await loadCase(dataset, scan, () => {});
  if (!sameGeometry(stored, gridOf(record))) throw new DataError(`${where}: its scan lies on another grid than the session says.`, AGAIN);
  if (record.dirty) return; // it is written anew before anybody reads it
  const [on, across] = [new Set(transverse), new Set(coronal)];
  for (let d = 0, i = 0; d < D; d++)
    for (let h = 0; h < H; h++) {
      const marked = on.has(d) || across.has(h);
      for (let w = 0; w < W; w++, i++) {
        if (marked === (weight?.[i] === 1) && (!marked || label![i] === drawn![i])) continue;
        throw new DataError(
          `${where}: its annotation in \`data\` is not what was drawn in the session, first at transverse slice ${d}, row ${h}.`,
          'It was changed after the session was taken away: leave session.json, labels and masks out of the file to go on with `data`.',
        );
      }
    }
}

async function recordOf(store: SessionStore, zip: ZipFile, entries: ReadonlyMap<string, string>, name: string): Promise<SessionRecord> {
  const session = entries.get(SESSION_FILE),
    hasRun = [...entries.keys()].some((entry) => entry.startsWith('run/'));
  if (session !== undefined) {
    const record = parseRecord(zip.read(session), SESSION_FILE);
    for (const { image } of record.cases)
      if (!entries.has(`data/${image}`))
        throw new DataError(`session file: data/${image} is missing, expected the scan of every case.`, AGAIN);
    const data = await datasetOf(store),
      [names, own] = [data.info.classes, record.classes].map((classes) => classes.map((each) => each.name).join(', '));
    if (names !== own && !record.dirty)
      throw new DataError(`session file: data/dataset.json has the classes ${names}, expected ${own} as session.json.`, AGAIN);
    for (const each of record.cases) await assertWhole(store, data, record, each);
    return { ...record, name, runs: hasRun ? record.runs.slice(0, 1) : [] };
  }
  const dataset = await openDataset(
    'data',
    new Map([...entries].filter(([entry]) => entry.startsWith('data/')).map(([entry, original]) => [entry.slice(5), zip.read(original)])),
  );
  const cases: CaseRecord[] = [];
  for (let i = 0; i < dataset.training.length + dataset.test.length; i++) cases.push(await caseOf(store, dataset, i));
  return {
    ...store.record,
    name,
    classes: dataset.info.classes.map((each, i) => ({ name: each.name, colour: colourOf(i) })),
    cases,
    dirty: false,
    runs: hasRun ? [{ preset: 'command line', stopped: entries.has(`run/${checkpointFile('final')}`) }] : [],
  };
}

/** A new session of a session file; it is not opened. @returns its id */
export async function importedSession(file: Blob, name: string): Promise<string> {
  if (file.size > MOST_ZIPPED)
    throw new DataError(`${name}: too large for a session file, got ${file.size} bytes, expected at most ${MOST_ZIPPED}.`);
  const zip = new ZipFile(new Uint8Array(await file.arrayBuffer()), name),
    entries = entriesOf(zip);
  if (!entries.has('data/dataset.json'))
    throw new DataError(
      `${name}: no session file, got no data/dataset.json in it, expected one.`,
      'Of a data set and a run of the command line `voxelgrad session data --run run --out session.zip` makes one.',
    );
  const store = await SessionStore.create(name);
  try {
    for (const [entry, original] of entries) {
      if (entry === SESSION_FILE) continue;
      await store.files.copy(new Blob([zip.read(original) as Uint8Array<ArrayBuffer>]), entry.replace(/^run\//, 'runs/1/'));
    }
    await store.save(await recordOf(store, zip, entries, name));
    await store.close();
    return store.id;
  } catch (error) {
    await store.discard();
    throw error;
  }
}
