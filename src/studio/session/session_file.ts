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
import { labelsFile, rasGrid, scanOf } from './cases.ts';
import { maskFactsFile, maskFile } from './masks.ts';
import { annotatedSlices, MORE } from './planes.ts';
import { isTrained, publish } from './publish.ts';
import { colourOf, gridOf, parseRecord, SESSION_FILE, type CaseRecord, type SessionRecord } from './record.ts';
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

/** What a session says of a case fits its scan. @throws DataError: marks without their drawing would teach that nothing is there */
async function assertWhole(store: SessionStore, record: CaseRecord): Promise<void> {
  const [D, H, W] = rasGrid(record).size,
    where = `session file: ${record.name}`;
  const beyond = record.transverse.find((k) => k >= D) ?? record.coronal.find((k) => k >= H);
  if (beyond !== undefined)
    throw new DataError(
      `${where}: slice ${beyond} is annotated, expected slices of ${D} transverse and ${H} coronal ones.`,
      'It is damaged.',
    );
  const drawn = await store.files.file(labelsFile(record.name));
  if (isTrained(record) && drawn?.size !== D * H * W)
    throw new DataError(
      `${where}: what was drawn on it is ${drawn ? 'damaged' : 'missing'}, got ${drawn?.size ?? 0} bytes, expected ${D * H * W}.`,
      'It is no whole session: export it again.',
    );
  const { data: _voxels, ...grid } = await scanOf(store, record);
  if (!sameGeometry(grid, gridOf(record)))
    throw new DataError(`${where}: its scan lies on another grid than the session says.`, 'It is no whole session: export it again.');
}

async function recordOf(store: SessionStore, zip: ZipFile, entries: ReadonlyMap<string, string>, name: string): Promise<SessionRecord> {
  const own = entries.get(SESSION_FILE),
    hasRun = [...entries.keys()].some((entry) => entry.startsWith('run/'));
  if (own !== undefined) {
    const record = parseRecord(zip.read(own), SESSION_FILE);
    for (const { image } of record.cases)
      if (!entries.has(`data/${image}`))
        throw new DataError(
          `session file: data/${image} is missing, expected the scan of every case.`,
          'It is no whole session: export it again.',
        );
    for (const each of record.cases) await assertWhole(store, each);
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
