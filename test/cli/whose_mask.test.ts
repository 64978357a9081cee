// SPDX-License-Identifier: MIT
// Whose mask is this? Masks are kept only for the very scan, weights and options that they were made of, by content.
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sourceDigest } from '../../src/cli/mask_source.ts';
import { runPlan } from '../../src/cli/members.ts';
import { segmentCases } from '../../src/cli/segment_cases.ts';
import { drawnCases } from '../../src/data/sparse_planes.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { trainedSums } from '../../src/train/data_files.ts';
import { foldOf } from '../../src/train/loop.ts';
import { toRas } from '../../src/data/orientation.ts';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { slicesAlone, tinyDataset, tinyPlan } from '../train/tiny_run.ts';
import { bundleCli, memoryScratch, pause, start } from './processes.ts';
import { untrained } from './untrained.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = memoryScratch();
const at = (...parts: string[]): string => join(root, ...parts);
const scan = (k: number): string => at(`data/images${k < 6 ? 'Tr' : 'Ts'}/phantom_00${k}_0000.nii.gz`);
const bytes = (...parts: string[]): string => readFileSync(at(...parts)).toString('base64');

async function verb(...argv: string[]): Promise<{ code: number; err: string; json: any }> {
  const { code, out, err } = await voxelgrad([...argv, '--json']);
  return { code, err, json: JSON.parse(out) };
}
const predict = (from: string, to: string, ...more: string[]) => verb('predict', '-i', at(from), '-o', at(to), '--run', at('run'), ...more);

/** A folder of scans by name. */
function scans(folder: string, files: Record<string, number>): string {
  mkdirSync(at(folder), { recursive: true });
  for (const [name, k] of Object.entries(files)) copyFileSync(scan(k), at(folder, `${name}.nii.gz`));
  return folder;
}
/** Weights of this seed find something in every phantom, and not the same. */
const settings = (p: SanetPlan): void => {
  slicesAlone(p);
  p.prediction.step = 1;
  p.training.seed = 1;
};
const masksIn = (folder: string): string[] =>
  readdirSync(at(folder))
    .filter((name) => name.endsWith('.nii.gz'))
    .sort();

beforeAll(async () => {
  await tinyDataset(at('data'));
  await untrained(at('run'), tinyPlan(settings));
  await predict(scans('both', { a: 1, b: 2 }), 'both_masks');
});

it('a scan of a kind that is not read is named, beside those that are predicted', async () => {
  scans('kinds', { a: 1 });
  copyFileSync(scan(2), at('kinds/b.NII.GZ'));
  const { code, err, json } = await predict('kinds', 'kinds_masks');
  expect([code, json.written]).toEqual([0, 1]);
  expect(err).toMatch(/kinds: of a kind that is not read, and not predicted: b\.NII\.GZ/);
});

describe('predict keeps a mask', () => {
  it('of the same scan, and predicts another scan of the same name again', async () => {
    scans('one', { a: 1 });
    expect((await predict('one', 'one_masks')).json).toMatchObject({ written: 1, again: [] });
    expect((await predict('one', 'one_masks')).json).toMatchObject({ written: 0, again: [] });
    expect(bytes('one_masks/a.nii.gz')).toBe(bytes('both_masks/a.nii.gz'));
    scans('one', { a: 2 });
    const { json, err } = await predict('one', 'one_masks');
    expect(json).toMatchObject({ written: 1, again: [{ name: 'a', why: expect.stringContaining('its scan is another') }] });
    expect(err).toContain('a: predicted again, its scan is another');
    expect(bytes('one_masks/a.nii.gz')).toBe(bytes('both_masks/b.nii.gz'));
    expect(bytes('one_masks/a.nii.gz')).not.toBe(bytes('both_masks/a.nii.gz'));
  });

  const mask = at('kept_masks/a.nii.gz');
  it.each<[string, () => void]>([
    ['cut short', () => truncateSync(mask, 40)],
    ['emptied', () => writeFileSync(mask, '')],
    ['exchanged for another', () => copyFileSync(at('kept_masks/b.nii.gz'), mask)],
    ['removed', () => rmSync(mask)],
    ['without its record', () => rmSync(at('kept_masks/records/a.json'))],
    [
      'put there by somebody',
      () => {
        rmSync(at('kept_masks/records/a.json'));
        copyFileSync(at('kept_masks/b.nii.gz'), mask);
      },
    ],
    ['with half a record', () => truncateSync(at('kept_masks/records/a.json'), 50)],
    ["with a network's mask cut short", () => truncateSync(at('kept_masks/transverse/a.nii.gz'), 40)],
    ['with the record of another case', () => copyFileSync(at('kept_masks/records/b.json'), at('kept_masks/records/a.json'))],
  ])('but not one that was %s', async (_, spoil) => {
    cpSync(at('both_masks'), at('kept_masks'), { recursive: true });
    const whole = bytes('kept_masks/a.nii.gz');
    spoil();
    const changed = existsSync(mask) && bytes('kept_masks/a.nii.gz') !== whole ? bytes('kept_masks/a.nii.gz') : undefined;
    const { json } = await predict('both', 'kept_masks');
    expect(json.written).toBe(1);
    expect(bytes('kept_masks/a.nii.gz')).toBe(whole);
    // What somebody may have drawn is not lost.
    if (changed !== undefined) expect(bytes('kept_masks/replaced/a.nii.gz')).toBe(changed);
    else expect(existsSync(at('kept_masks/replaced'))).toBe(false);
    expect((await predict('both', 'kept_masks')).json.written).toBe(0);
    rmSync(at('kept_masks'), { recursive: true });
  });

  it('though run, scans and masks were moved', async () => {
    for (const folder of ['run', 'both', 'both_masks']) renameSync(at(folder), at(`${folder}_moved`));
    const { json } = await verb('predict', '-i', at('both_moved'), '-o', at('both_masks_moved'), '--run', at('run_moved'));
    expect(json.written).toBe(0);
    expect(JSON.parse(readFileSync(at('both_masks_moved/prediction.json'), 'utf8')).run).toBe(at('run_moved'));
    for (const folder of ['run', 'both', 'both_masks']) renameSync(at(`${folder}_moved`), at(folder));
  });
});

describe('predict refuses a folder of masks', () => {
  const kept = async (folder: string, ...argv: string[]): Promise<string> => {
    const before = readdirSync(at(folder), { recursive: true, encoding: 'utf8' }).map(
      (name) => `${name} ${statSync(at(folder, name)).mtimeMs}`,
    );
    const { code, err } = await verb(...argv);
    expect(code).toBeGreaterThan(1);
    expect(
      readdirSync(at(folder), { recursive: true, encoding: 'utf8' }).map((name) => `${name} ${statSync(at(folder, name)).mtimeMs}`),
    ).toEqual(before);
    return err;
  };
  it('of other options or weights, and says what differs', async () => {
    expect(await kept('both_masks', 'predict', '-i', at('both'), '-o', at('both_masks'), '--run', at('run'), '--tta')).toMatch(
      /prediction\.json: [^]*prediction\.mirror: got true, expected false[^]*another output folder/,
    );
    cpSync(at('run'), at('trained_on'), { recursive: true });
    await untrained(
      at('trained_on'),
      tinyPlan((p) => {
        settings(p);
        p.training.seed++;
      }),
    );
    expect(await kept('both_masks', 'predict', '-i', at('both'), '-o', at('both_masks'), '--run', at('trained_on'))).toMatch(
      /weights: got "sha256:[^]*expected "sha256:/,
    );
    const weights = readFileSync(checkpointPath(at('run'), 'latest'));
    copyFileSync(checkpointPath(at('trained_on'), 'latest'), checkpointPath(at('run'), 'latest'));
    copyFileSync(at('run/plan.json'), at('plan_before.json'));
    copyFileSync(at('trained_on/plan.json'), at('run/plan.json'));
    expect(await kept('both_masks', 'predict', '-i', at('both'), '-o', at('both_masks'), '--run', at('run'))).toMatch(
      /weights: got "sha256:/,
    );
    writeFileSync(checkpointPath(at('run'), 'latest'), weights);
    copyFileSync(at('plan_before.json'), at('run/plan.json'));
  });
  it('that another verb wrote', async () => {
    expect(await kept('both_masks', 'label', at('data'), '-o', at('both_masks'), '--run', at('run'))).toMatch(
      /verb: got "label", expected "predict"/,
    );
  });
  it('that is the folder of the scans, lies in it, holds it, or is a link to it', async () => {
    scans('sources/ct', { a: 1 });
    symlinkSync(at('sources/ct'), at('link'));
    for (const [to, how] of [
      ['sources/ct', 'is'],
      ['link', 'is'],
      ['sources/../sources/ct/', 'is'],
      ['sources/ct/masks', 'lies inside'],
      ['link/deep/masks', 'lies inside'],
      ['sources', 'holds'],
    ] as const) {
      expect(await kept('sources', 'predict', '-i', at('sources/ct'), '-o', at(to), '--run', at('run')), to).toMatch(
        new RegExp(`--output: .* ${how} the input`),
      );
      expect(await kept('sources', 'predict', '-i', at('link'), '-o', at(to), '--run', at('run')), to).toMatch(/--output: /);
    }
    for (const to of ['sources/ct', 'link', 'sources'])
      expect(await kept('sources', 'predict', '-i', at('sources/ct/a.nii.gz'), '-o', at(to), '--run', at('run'))).toMatch(
        /--output: .* holds the input/,
      );
    // Beside the scan is fine.
    expect((await verb('predict', '-i', at('sources/ct/a.nii.gz'), '-o', at('sources/masks'), '--run', at('run'))).code).toBe(0);
    expect(readdirSync(at('sources/ct'))).toEqual(['a.nii.gz']);
  });
  it('where the scans behind links lie', async () => {
    for (const folder of ['linked', 'hard']) mkdirSync(at(folder));
    scans('store', { a: 1 });
    symlinkSync(at('store/a.nii.gz'), at('linked/a.nii.gz'));
    linkSync(at('store/a.nii.gz'), at('hard/a.nii.gz'));
    expect(await kept('store', 'predict', '-i', at('linked'), '-o', at('store'), '--run', at('run'))).toMatch(
      /store: holds volumes that are not known to be masks/,
    );
    // A folder of a network that is one of the store: nothing is written into it.
    mkdirSync(at('trap'));
    for (const name of ['transverse', 'coronal', 'ensemble']) symlinkSync(at('store'), at('trap', name));
    expect(await kept('store', 'predict', '-i', at('hard'), '-o', at('trap'), '--run', at('run'))).toMatch(/is the scan .*a\.nii\.gz/);
  });
  it('that holds volumes of unknown origin: labels, other scans', async () => {
    expect(await kept('data/labelsTr', 'predict', '-i', at('data/imagesTr'), '-o', at('data/labelsTr'), '--run', at('run'))).toMatch(
      /labelsTr: holds volumes that are not known to be masks of a run, got phantom_000\.nii\.gz/,
    );
  });
  it('as its scans', async () => {
    expect(await kept('both_masks', 'predict', '-i', at('both_masks'), '-o', at('again'), '--run', at('run'))).toMatch(
      /both_masks: holds masks that voxelgrad predicted/,
    );
  });
  it('that label would mix with the data set', async () => {
    for (const to of ['data', 'data/labelsTr', 'data/imagesTr', 'data/dense', 'data/labelsTr/dense'])
      expect(await kept('data', 'label', at('data'), '-o', at(to), '--run', at('run')), to).toMatch(/--output: /);
  });
});

describe('a scan of several files', () => {
  it('is another scan when any of them is another', async () => {
    mkdirSync(at('parts'));
    await writeVolume(at('parts/a.mhd'), await readVolume(scan(1)), false);
    expect((await predict('parts', 'parts_masks')).json.written).toBe(1);
    expect((await predict('parts', 'parts_masks')).json.written).toBe(0);
    const data = readdirSync(at('parts')).find((name) => name !== 'a.mhd')!;
    const bytes = readFileSync(at('parts', data));
    bytes[5000] ^= 64;
    writeFileSync(at('parts', data), bytes);
    expect((await predict('parts', 'parts_masks')).json).toMatchObject({ written: 1, again: [{ name: 'a' }] });
  });
});

describe('label', () => {
  it('labels a case again whose annotation has changed', async () => {
    const run = () => verb('label', at('labelled'), '-o', at('dense'), '--run', at('run'));
    cpSync(at('data'), at('labelled'), { recursive: true });
    expect((await run()).json.written).toBe(6);
    expect((await run()).json.written).toBe(0);
    const annotations = JSON.parse(readFileSync(at('labelled/annotations.json'), 'utf8'));
    annotations.phantom_002.transverse = [0];
    writeFileSync(at('labelled/annotations.json'), JSON.stringify(annotations));
    const label = await readVolume(at('labelled/labelsTr/phantom_004.nii.gz'));
    await writeVolume(at('labelled/labelsTr/phantom_004.nii.gz'), { ...label, data: label.data.map((v, i) => (i === 7 ? 1 : v)) });
    expect((await run()).json.again.map((a: any) => a.name)).toEqual(['phantom_002', 'phantom_004']);
  });
  it('says that the data set is not as the run was trained on it, and where to is no folder', async () => {
    const dataset = await openDataset(at('data')),
      run = at('summed');
    const data = await trainedSums(
      dataset,
      dataset.training.map(({ name }) => name),
    );
    await untrained(run, tinyPlan(settings), { data });
    const fold = { train: dataset.training.map(({ name }) => name), selection: [], test: [] };
    writeFileSync(join(run, 'run.json'), JSON.stringify({ version: 1, dataset: at('data'), fold }));
    const label = (from: string, to: string) => verb('label', at(from), '-o', at(to), '--run', run);
    expect((await label('data', 'summed_dense')).err).not.toMatch(/not as/);
    cpSync(at('data'), at('bared'), { recursive: true });
    rmSync(at('bared/annotations.json'));
    copyFileSync(scan(1), at('bared/imagesTr/phantom_000_0000.nii.gz'));
    expect((await label('bared', 'bared_dense')).err).toMatch(
      /bared: not as \S+summed was trained on it: annotations\.json \(gone\), imagesTr\/phantom_000_0000\.nii\.gz \(changed\)/,
    );
    const { code, err } = await voxelgrad(['label', at('data'), '-o', join(run, 'run.json'), '--run', run]);
    expect([code, err]).toEqual([3, expect.stringMatching(/run\.json: could not be written, a file is where a folder is needed/)]);
  });
  it('copies the labels of the cases that the run had, whatever cases have come since', async () => {
    cpSync(at('data'), at('grown'), { recursive: true });
    rmSync(at('grown/annotations.json'));
    const plan = tinyPlan((p) => {
      settings(p);
      Object.assign(p.annotation, { use: 'dense', cases: 2 });
    });
    const dataset = await openDataset(at('grown')),
      names = dataset.training.map(({ name }) => name);
    const drawn = (train: readonly string[]): string[] => drawnCases(train, 2, plan.annotation.seed);
    const now = drawn(foldOf(plan, dataset).train); // not what the run had
    const train = names.filter((name) => !now.includes(name));
    await untrained(at('drawn'), plan);
    writeFileSync(at('drawn/run.json'), JSON.stringify({ version: 1, dataset: at('data'), fold: { train, selection: [], test: now } }));
    await verb('label', at('grown'), '-o', at('drawn_masks'), '--run', at('drawn'));
    for (const name of train) {
      const [mask, label] = [
        await readVolume(at('drawn_masks', `${name}.nii.gz`)),
        await readVolume(at('grown/labelsTr', `${name}.nii.gz`)),
      ];
      expect(
        mask.data.every((v, i) => v === label.data[i]),
        name,
      ).toBe(drawn(train).includes(name));
    }
  });
  it('does not take for background what nobody drew in a case: there its prediction stands', async () => {
    cpSync(at('data'), at('undrawn'), { recursive: true });
    const file = at('undrawn/annotations.json');
    const run = () => verb('label', at('undrawn'), '-o', at('undrawn_masks'), '--run', at('run'));
    const planes = JSON.parse(readFileSync(file, 'utf8')).phantom_002.transverse as number[];
    const foreground = async (folder: string, file: string): Promise<number> => {
      const { data, size } = await readVolume(at(folder, file));
      return planes.reduce((n, d) => n + data.slice(d * size[1] * size[2], (d + 1) * size[1] * size[2]).filter((v) => v === 1).length, 0);
    };
    await run();
    const drawn = await foreground('undrawn/labelsTr', 'phantom_002.nii.gz');
    expect(await foreground('undrawn_masks', 'phantom_002.nii.gz')).toBe(drawn);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), unlabelled: { phantom_002: [1] } }));
    expect((await run()).json.again).toEqual([{ name: 'phantom_002', why: expect.stringMatching(/labels or their annotation/) }]);
    expect(await foreground('undrawn_masks', 'phantom_002.nii.gz')).toBeGreaterThan(drawn);
  });
});

describe('names', () => {
  const names = async (folder: string, files: Record<string, number>): Promise<string[] | string> => {
    const { code, err } = await predict(scans(folder, files), `${folder}_masks`);
    return code === 0 ? masksIn(`${folder}_masks`).map((name) => name.replace('.nii.gz', '')) : err;
  };
  it('keep _0000 unless it is a channel', async () => {
    expect(await names('alone', { scan_0000: 1 })).toEqual(['scan_0000']);
    expect(await names('numbered', { case_0000: 1, case_0001: 2 })).toEqual(['case_0000', 'case_0001']);
    expect(await names('channels', { case_0000_0000: 1, case_0001_0000: 2 })).toEqual(['case_0000', 'case_0001']);
    expect(await names('nnunet/imagesTs', { case_0000: 1 })).toEqual(['case']);
    // Of several channels the first is the scan, whatever the data set's labels are.
    scans('pet/imagesTs', { a_0000: 1, a_0001: 2, b_0000: 3, b_0001: 4 });
    writeFileSync(
      at('pet/dataset.json'),
      JSON.stringify({ channel_names: { 0: 'CT', 1: 'PET' }, labels: { background: 0, whole: [1, 2] } }),
    );
    expect((await predict('pet/imagesTs', 'pet_masks')).code).toBe(0);
    expect(masksIn('pet_masks')).toEqual(['a.nii.gz', 'b.nii.gz']);
    // One file of a folder is called as the folder is.
    expect((await predict('channels/case_0001_0000.nii.gz', 'single')).code).toBe(0);
    expect((await predict('numbered/case_0000.nii.gz', 'single_number')).code).toBe(0);
    expect([masksIn('single'), masksIn('single_number')]).toEqual([['case_0001.nii.gz'], ['case_0000.nii.gz']]);
  });
  it('that two scans would share, here or elsewhere, are refused', async () => {
    expect(await names('either', { a: 1, a_0000: 2 })).toMatch(/a_0000\.nii\.gz: duplicate case name "a"/);
    expect(await names('capitals', { Case: 1, case: 2 })).toMatch(/duplicate case name/);
    expect(await names('accents', { 'l\u00e4ufe': 1, 'la\u0308ufe': 2 })).toMatch(/duplicate case name/);
    expect(await names('colon', { '10:30': 1 })).toMatch(/case name holds :, got "10:30"/);
    expect(await names('device', { 'aux.1': 1 })).toMatch(/device on Windows/);
    expect(await names('line', { 'a\nb': 1 })).toMatch(/control character 10/);
    mkdirSync(at('endings'));
    for (const ending of ['.nii.gz', '.nrrd']) await writeVolume(at(`endings/a${ending}`), await readVolume(scan(1)));
    expect((await predict('endings', 'endings_masks')).err).toMatch(/duplicate case name "a"/);
  });
});

it('processes on one folder, twice on the same part, one of them killed: every mask once, as one process makes them', async () => {
  const cli = await bundleCli();
  scans('cohort', { p0: 0, p1: 1, p2: 2, p3: 3, p4: 4, p5: 5 });
  await predict('cohort', 'cohort_alone');
  const argv = ['predict', '-i', at('cohort'), '-o', at('cohort_masks'), '--run', at('run'), '--json'];
  const all = [['--part', '1/2'], ['--part', '2/2'], ['--part', '2/2'], []].map((part) => start(cli, ...argv, ...part));
  while (!existsSync(at('cohort_masks/records')) && all[0].child.exitCode === null) await pause(20);
  all[0].child.kill('SIGKILL');
  for (const { ended } of all.slice(1)) {
    const { code, err } = await ended;
    expect(code, err).toBe(0);
  }
  await all[0].ended;
  const last = await start(cli, ...argv).ended;
  expect(last.code, last.err).toBe(0);
  expect(
    readdirSync(at('cohort_masks'))
      .filter((name) => !name.startsWith('.'))
      .sort(),
  ).toEqual(readdirSync(at('cohort_alone')).sort());
  for (const name of readdirSync(at('cohort_alone'), { recursive: true, encoding: 'utf8' })) {
    if (/\.nii\.gz$|records\/.*json$/.test(name)) expect(bytes('cohort_masks', name), name).toBe(bytes('cohort_alone', name));
  }
});

it('a scan that is replaced while it is read is read again: mask and record are of the same bytes', async () => {
  scans('restless', { a: 1 });
  const file = at('restless/a.nii.gz');
  let reads = 0;
  const read = async () => {
    const volume = await readVolume(file);
    if (reads++ === 0) scans('restless', { a: 2 });
    const { data: _data, ...stored } = volume;
    return { image: toRas(volume), stored };
  };
  const [out, run] = [at('restless_masks'), at('run')];
  const job = { verb: 'predict' as const, plan: runPlan(run), run, out, scans: new Map([['a', file]]), read };
  await segmentCases(job, { json: false, argv: [], note: () => undefined });
  expect(reads).toBe(2);
  expect(bytes('restless_masks/a.nii.gz')).toBe(bytes('both_masks/b.nii.gz'));
  expect((await predict('restless', 'restless_masks')).json).toMatchObject({ written: 0 });
});

it('a part says how many scans have no mask yet, whoever was to make it', async () => {
  scans('growing', { b: 1, c: 2 });
  const part = async (i: number) => (await predict('growing', 'growing_masks', '--part', `${i}/2`)).json;
  expect(await part(1)).toMatchObject({ written: 1, without: 1 });
  scans('growing', { a: 3 }); // from here on b is the second, and c the third
  expect(await part(2)).toMatchObject({ written: 0, without: 2 });
  expect(await part(1)).toMatchObject({ written: 2, without: 0 });
});

it('processes of different settings that begin on one new folder: one has it, the others say so', async () => {
  const cli = await bundleCli();
  scans('contested', { a: 1 });
  const all = ['0.5', '0.6', '0.7'].map((step) =>
    start(cli, 'predict', '-i', at('contested'), '-o', at('contested_masks'), '--run', at('run'), '--step', step),
  );
  const ended = await Promise.all(all.map((each) => each.ended));
  expect(ended.map(({ code }) => code).sort((a, b) => a! - b!)).toEqual([0, 3, 3]);
  for (const { err } of ended.filter(({ code }) => code === 3))
    expect(err).toMatch(/prediction\.json: the masks in this folder come from another run, checkpoint or setting[^]*prediction\.step/);
  const source = JSON.parse(readFileSync(at('contested_masks/prediction.json'), 'utf8'));
  expect(JSON.parse(readFileSync(at('contested_masks/records/a.json'), 'utf8')).source).toBe(sourceDigest(source));
});
