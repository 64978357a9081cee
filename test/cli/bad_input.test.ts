// SPDX-License-Identifier: MIT
// What a careless user does, through the whole command line: the message names the file and a remedy, the exit code says whose
// fault it is, stdout is one JSON document, and nothing half-written stays behind.
import fs, { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { niftiBytes, scratch } from '../data/helpers.ts';
import { slicesAlone, tinyDataset, tinyPlan, writePlan } from '../train/tiny_run.ts';
import { untrained } from './untrained.ts';
import { linux as onLinux } from '../needs.ts';
import { voxelgrad } from './voxelgrad.ts';

const root = scratch();
const at = (...parts: string[]): string => join(root, ...parts);
const plan = tinyPlan(slicesAlone);

interface Result {
  code: number;
  out: string;
  err: string;
  error: { code: string; message: string; hint?: string };
}

async function run(...argv: string[]): Promise<Result> {
  const said = await voxelgrad([...argv, '--json']);
  return { ...said, error: JSON.parse(said.out).error };
}

/** Everything below a folder with size and time of change. */
const state = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const s = statSync(join(folder, name));
      return s.isFile() ? `${name} ${s.size} ${s.mtimeMs}` : name;
    });

const IMAGE = 'imagesTr/phantom_003_0000.nii.gz',
  LABEL = 'labelsTr/phantom_003.nii.gz';

/** A copy of the good data set with one thing wrong. */
async function spoilt(name: string, spoil: (folder: string) => unknown): Promise<string> {
  cpSync(at('good'), at(name), { recursive: true });
  await spoil(at(name));
  return at(name);
}
async function change(file: string, edit: (voxels: any, volume: any) => object | void): Promise<void> {
  const volume = await readVolume(file);
  const copy = { ...volume, data: volume.data.slice() };
  await writeVolume(file, { ...copy, ...edit(copy.data, copy) });
}
const json = (file: string, edit: (value: any) => void): void => {
  const value = JSON.parse(readFileSync(file, 'utf8'));
  edit(value);
  writeFileSync(file, JSON.stringify(value));
};
/** A float image of the phantoms' size, field by field: our own writer would refuse what is wrong with it. */
const floats = (value: (i: number) => number): Buffer =>
  gzipSync(
    niftiBytes(
      Array.from({ length: 8 * 32 * 32 }, (_, i) => value(i)),
      { dims: [32, 32, 8], datatype: 16 },
    ),
  );
/** A NIfTI file of 12 voxels with the given header. */
const scan = (
  name: string,
  options: Parameters<typeof niftiBytes>[1],
  values: number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
): string => {
  mkdirSync(at('scans'), { recursive: true });
  writeFileSync(at('scans', name), gzipSync(niftiBytes(values, options)));
  return at('scans', name);
};

beforeAll(async () => {
  await tinyDataset(at('good'));
  await untrained(at('run'), plan);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Fails as asked, and leaves `kept` and the place of the output as they were. */
async function refused(argv: string[], message: RegExp, options: { code?: number; kept?: string; absent?: string } = {}): Promise<void> {
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
  const before = options.kept === undefined ? [] : state(options.kept);
  const { code, err, error } = await run(...argv);
  expect(`${error.message}\n${error.hint ?? ''}`).toMatch(message);
  expect(code).toBe(options.code ?? 3);
  expect(error.hint ?? '', error.message).toMatch(/\S/);
  expect(err).toContain(`error: ${error.message}`);
  expect(printed).not.toHaveBeenCalled();
  if (options.kept !== undefined) expect(state(options.kept)).toEqual(before);
  if (options.absent !== undefined) expect(existsSync(options.absent)).toBe(false);
}

describe('train refuses a data set', () => {
  const rows: [string, (folder: string) => unknown, RegExp][] = [
    [
      'with a truncated gzip',
      (f) => writeFileSync(join(f, IMAGE), readFileSync(join(f, IMAGE)).subarray(0, 3000)),
      /phantom_003_0000\.nii\.gz: the compressed data stop early[^]*Copy or download/,
    ],
    [
      'with a corrupt gzip',
      (f) => {
        const b = readFileSync(join(f, IMAGE));
        b.fill(0x55, 4000, 4100);
        writeFileSync(join(f, IMAGE), b);
      },
      /phantom_003_0000\.nii\.gz: the compressed data are corrupt[^]*Copy or download/,
    ],
    [
      "with text in a scan's place",
      (f) => writeFileSync(join(f, IMAGE), 'hello'),
      /phantom_003_0000\.nii\.gz: the compressed data[^]*Copy or download/,
    ],
    [
      'with a header of 10^12 voxels',
      (f) => writeFileSync(join(f, IMAGE), gzipSync(niftiBytes([1], { dims: [10000, 10000, 10000] }))),
      /phantom_003_0000\.nii\.gz: the header promises 1\.00e\+12 voxels[^]*damaged/,
    ],
    [
      'with a mask on another grid, showing both',
      (f) => change(join(f, LABEL), () => ({ spacing: [1, 1, 2] })),
      /phantom_003\.nii\.gz: lies on another grid[^]*spacing[^]*origin[^]*spacing[^]*origin[^]*--fix-header/,
    ],
    [
      'with a mask of another size',
      (f) => change(join(f, LABEL), (v) => ({ size: [4, 32, 32], data: v.subarray(0, 4096) })),
      /phantom_003\.nii\.gz: lies on another grid[^]*got size 4x32x32, expected 8x32x32/,
    ],
    [
      'with NaN in an image',
      (f) =>
        writeFileSync(
          join(f, IMAGE),
          floats((i) => (i === 77 ? NaN : i)),
        ),
      /phantom_003_0000\.nii\.gz: values that are not finite, got 1 NaN[^]*x 13, y 2, z 0[^]*Replace them/,
    ],
    [
      'with infinities in an image',
      (f) =>
        writeFileSync(
          join(f, IMAGE),
          floats((i) => (i < 3 ? -Infinity : i)),
        ),
      /not finite, got 3 NaN or infinite/,
    ],
    [
      'with label values of no class',
      (f) =>
        change(join(f, LABEL), (v) => {
          v[5] = 7;
        }),
      /phantom_003\.nii\.gz: label values outside the data set's, got 7 \(1 voxels\), expected 0 to 1[^]*Add the class/,
    ],
    [
      'with a case without an annotated slice',
      (f) =>
        json(join(f, 'annotations.json'), (a) => {
          a.phantom_003 = { transverse: [], coronal: [] };
        }),
      /annotations\.json: phantom_003: no annotated slice[^]*Annotate a slice/,
    ],
    [
      'with a case that annotations.json forgets',
      (f) =>
        json(join(f, 'annotations.json'), (a) => {
          delete a.phantom_003;
        }),
      /annotations\.json: case "phantom_003" has no annotated slice[^]*List them/,
    ],
    [
      'with a slice beyond the volume',
      (f) =>
        json(join(f, 'annotations.json'), (a) => {
          a.phantom_003 = { transverse: [8], coronal: [] };
        }),
      /annotations\.json: phantom_003: transverse slice beyond the volume, got 8, expected 0 to 7[^]*zero-based/,
    ],
    [
      'with duplicate case names',
      (f) => cpSync(join(f, IMAGE), join(f, 'imagesTs/PHANTOM_003_0000.nii.gz')),
      /dataset\.json: duplicate case name[^]*remove it from one side/,
    ],
    [
      'with a path out of its folder',
      (f) =>
        json(join(f, 'dataset.json'), (d) => {
          d.training = [{ image: '../good/imagesTr/phantom_003_0000.nii.gz', label: LABEL }];
        }),
      /dataset\.json: a path that leads out of the data set[^]*Copy or link/,
    ],
    ['without dataset.json', (f) => rmSync(join(f, 'dataset.json')), /dataset\.json: cannot be read, got no such file[^]*Check the path/],
    [
      'with broken JSON',
      (f) => writeFileSync(join(f, 'dataset.json'), '{"labels": {'),
      /dataset\.json: not JSON[^]*comma, quote or bracket/,
    ],
    [
      'without a case',
      (f) => {
        for (const n of ['imagesTr', 'labelsTr', 'imagesTs', 'labelsTs', 'annotations.json']) rmSync(join(f, n), { recursive: true });
      },
      /without a case: no case[^]*voxelgrad import/,
    ],
    ['with a mask missing', (f) => rmSync(join(f, LABEL)), /phantom_003/],
    [
      'with too few patients to divide',
      (f) =>
        json(join(f, 'dataset.json'), (d) => {
          d.patients = Object.fromEntries([0, 1, 2, 3, 4, 5].map((i) => [`phantom_00${i}`, i < 3 ? 'p' : 'q']));
        }),
      /folds: too few patients to split, got 2[^]*fewer folds, or add patients/,
    ],
    [
      "of other classes than the plan's",
      (f) =>
        json(join(f, 'dataset.json'), (d) => {
          d.labels = { background: 0, liver: 1 };
        }),
      /dataset\.json: its classes are not the plan's, got background, liver, expected background, nodule[^]*voxelgrad plan/,
    ],
  ];
  it.each(rows)('%s', async (name, spoil, message) => {
    const folder = await spoilt(name, spoil);
    await refused(['train', folder, '--run', at('out'), '--plan', writePlan(root, plan)], message, { kept: folder, absent: at('out') });
    rmSync(folder, { recursive: true });
  });

  it('but not one whose grids differ by rounding', async () => {
    const folder = await spoilt('rounded', (f) =>
      change(join(f, LABEL), (_, v) => ({ origin: [v.origin[0] + 5e-4, v.origin[1], v.origin[2]] })),
    );
    expect((await run('check', folder)).code).toBe(0);
  });
});

describe('train refuses a plan', () => {
  it.each([
    [
      'with an unknown field',
      (p: any) => {
        p.training.iteratoins = 5;
      },
      /training\.iteratoins: unknown field, did you mean "iterations"\?[^]*Correct the file/,
    ],
    [
      'with absurd numbers',
      (p: any) => {
        p.data.roi = [0, 32, 32];
        p.method.network2d.rate = 1e9;
      },
      /2 fields cannot be used[^]*data\.roi\.0: got 0, expected 4 to 512[^]*method\.network2d\.rate: got 1000000000/,
    ],
    [
      'that contradicts itself',
      (p: any) => {
        p.split.fold = 7;
      },
      /split\.fold: got 7, expected 0 to 4/,
    ],
    [
      'that learns nothing',
      (p: any) => {
        p.method.loss.ce = p.method.loss.dice = p.method.loss.boundary = p.method.loss.auxiliary = 0;
      },
      /method\.loss: got ce 0 and dice 0, expected at least one above 0/,
    ],
    [
      'that is too large to hold',
      (p: any) => {
        p.data.roi = [512, 512, 512];
      },
      /data\.roi: got \[512,512,512\], expected at most 33554432 voxels/,
    ],
  ])('%s', async (_, edit, message) => {
    const own = JSON.parse(JSON.stringify(plan));
    edit(own);
    await refused(
      ['train', at('good'), '--run', at('out'), '--plan', writePlan(root, own, 'absurd.json')],
      new RegExp(`absurd\\.json: ${message.source}`),
      { absent: at('out') },
    );
  });
  it('that is no JSON, or not there', async () => {
    writeFileSync(at('broken.json'), '{"preset": "demo",,}');
    await refused(
      ['train', at('good'), '--run', at('out'), '--plan', at('broken.json')],
      /broken\.json: not JSON[^]*comma, quote or bracket/,
      { absent: at('out') },
    );
    await refused(['train', at('good'), '--run', at('out'), '--plan', at('nowhere.json')], /nowhere\.json/, { absent: at('out') });
  });
});

describe('train refuses', () => {
  it('more annotated cases than its fold has', () =>
    refused(
      ['train', at('good'), '--run', at('many'), '--plan', at('run/plan.json'), '--annotation', 'dense', '--cases', '99'],
      /annotation\.cases: got 99, expected at most \d, the training cases of the fold/,
      { absent: at('many/checkpoints') },
    ));
});

describe('train refuses weights', () => {
  const own = (name: string): string => {
    cpSync(at('run'), at(name), { recursive: true });
    return at(name);
  };
  it('of another plan', async () => {
    const folder = own('other');
    writePlan(
      folder,
      tinyPlan((p) => {
        slicesAlone(p);
        p.method.loss.ce = 0.25;
      }),
    );
    await refused(
      ['train', at('good'), '--run', folder, '--resume'],
      /plan\.json: was edited after the training[^]*: method\.loss\.ce: got 0\.25, expected [^]*Put the values back/,
      { kept: join(folder, 'checkpoints') },
    );
  });
  it.each([
    [0, 'empty'],
    [100, 'header'],
    [40_000, 'values'],
  ])('cut after %i bytes', async (bytes) => {
    const folder = own('cut');
    const path = checkpointPath(folder, 'latest');
    writeFileSync(path, readFileSync(path).subarray(0, bytes));
    await refused(['train', at('good'), '--run', folder, '--resume'], /latest\.safetensors: [^]*truncated or not safetensors/, {
      kept: join(folder, 'checkpoints'),
    });
    await refused(
      ['predict', '-i', at('good/imagesTs'), '-o', at('masks'), '--run', folder],
      /latest\.safetensors: [^]*truncated or not safetensors/,
      { absent: at('masks') },
    );
    rmSync(folder, { recursive: true });
  });
  it('that misfit the plan, or are not there, for --init', async () => {
    const wide = writePlan(
      root,
      tinyPlan((p) => {
        slicesAlone(p);
        p.method.network2d.stem = 8;
      }),
      'wide.json',
    );
    await refused(
      ['train', at('good'), '--run', at('out'), '--plan', wide, '--init', checkpointPath(at('run'), 'latest')],
      /run\/checkpoints\/latest\.safetensors: its weights do not fit[^]*transverse: [^]*has shape[^]*same preset, classes and parts/,
      { absent: at('out') },
    );
    await refused(
      ['train', at('good'), '--run', at('out'), '--plan', writePlan(root, plan), '--init', at('none.safetensors')],
      /none\.safetensors: cannot be read/,
      { absent: at('out') },
    );
  });
  it('without a run to go on with (usage)', () =>
    refused(['train', at('good'), '--run', at('out'), '--resume'], /plan\.json is missing[^]*Leave --resume out/, {
      code: 2,
      absent: at('out'),
    }));
  it('and options that would change a run (usage)', () =>
    refused(['train', at('good'), '--run', at('run'), '--resume', '--iterations', '5'], /--resume: got --iterations/, {
      code: 2,
      kept: at('run'),
    }));
  it('and sizes beside a plan or a run that has its own (usage)', async () => {
    await refused(['train', at('good'), '--run', at('run'), '--resume', '--preset', 'base'], /--resume: got --preset beside it/, {
      code: 2,
      kept: at('run'),
    });
    await refused(['train', at('good'), '--run', at('run'), '--resume', '--max-minutes', '5'], /--resume: got --max-minutes beside it/, {
      code: 2,
      kept: at('run'),
    });
    await refused(
      ['train', at('good'), '--run', at('out'), '--plan', writePlan(root, plan), '--preset', 'paper'],
      /--plan: got --preset beside it/,
      { code: 2, absent: at('out') },
    );
  });
  it('and a SAM that is neither trained nor given (usage)', async () => {
    const frozen = writePlan(
      root,
      tinyPlan((p) => {
        slicesAlone(p);
        p.method.sam.enabled = true;
        p.method.sam.trainable = false;
      }),
      'frozen.json',
    );
    await refused(
      ['train', at('good'), '--run', at('out'), '--plan', frozen],
      /--init is missing: the plan does not train sam \(trainable false\)/,
      { code: 2, absent: at('out') },
    );
  });
  it('takes plan.json of the data set, and says so', async () => {
    const folder = await spoilt('planned', (f) => writePlan(f, { ...plan, classes: ['background', 'planned'] }));
    await refused(
      ['train', folder, '--run', at('out')],
      /dataset\.json: its classes are not the plan's, got background, nodule, expected background, planned/,
      { absent: at('out') },
    );
    expect((await run('train', folder, '--run', at('out'))).err).toContain(`plan: ${join(folder, 'plan.json')}\n`);
    rmSync(folder, { recursive: true });
  });
});

describe('predict refuses', () => {
  const refusedScan = (path: string, message: RegExp): Promise<void> =>
    refused(['predict', '-i', path, '-o', at('masks'), '--run', at('run')], message).then(() => {
      expect(readdirSync(at('masks'))).toEqual(['prediction.json']); // where masks of this folder come from: no mask
      rmSync(at('masks'), { recursive: true });
    });
  it('a sheared scan', () =>
    refusedScan(
      scan('shear.nii.gz', {
        sform: [
          [1, 0.3, 0, 0],
          [0, 1, 0, 0],
          [0, 0, 1, 0],
        ],
      }),
      /shear\.nii\.gz: voxel axes x and y are not perpendicular[^]*Resample/,
    ));
  it('a 4D scan', () =>
    refusedScan(
      scan('four.nii.gz', { dims: [3, 2, 1, 2] }),
      /four\.nii\.gz: not a 3D volume, got 4 dimensions \(3 x 2 x 1 x 2\)[^]*Extract one time point/,
    ));
  it('a flat image', () => refusedScan(scan('flat.nii.gz', { dims: [3, 4] }), /flat\.nii\.gz: not a 3D volume, got 2 dimensions[^]*Stack/));
  it('NaN', () =>
    refusedScan(
      scan('nan.nii.gz', { datatype: 16 }, [1, 2, NaN, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
      /nan\.nii\.gz: values that are not finite/,
    ));
  it('a raw NIfTI that is cut', () => {
    const f = scan('cut.nii.gz', {});
    writeFileSync(at('scans/cut.nii'), gunzipSync(readFileSync(f)).subarray(0, 360));
    rmSync(f);
    return refusedScan(at('scans/cut.nii'), /cut\.nii: holds fewer voxels than its header promises/);
  });
  it('a header that the decoder chokes on, keeping its words off stdout', () => {
    writeFileSync(
      at('scans/odd.nrrd'),
      'NRRD0004\ntype: short\ndimension: 3\nsizes: 3 2 2\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nspace: ' +
        'nowhere-at-all\nendian: little\nencoding: raw\n\n' +
        '\0'.repeat(24),
    );
    return refusedScan(at('scans/odd.nrrd'), /odd\.nrrd: /);
  });
  it('two files for one case', async () => {
    mkdirSync(at('twice'));
    for (const n of ['a.nii.gz', 'a_0000.nii.gz']) cpSync(at('good', IMAGE), at('twice', n));
    await refused(
      ['predict', '-i', at('twice'), '-o', at('masks'), '--run', at('run')],
      /a_0000\.nii\.gz: duplicate case name "a"[^]*Rename or remove/,
      { absent: at('masks') },
    );
  });
  it('a folder without a scan, a place that is not there, a folder that is no run, a checkpoint that is not there', async () => {
    mkdirSync(at('void'));
    await refused(['predict', '-i', at('void'), '-o', at('masks'), '--run', at('run')], /void: no volume in it[^]*expected \.nii/, {
      absent: at('masks'),
    });
    await refused(['predict', '-i', at('nowhere'), '-o', at('masks'), '--run', at('run')], /nowhere: does not exist/, {
      absent: at('masks'),
    });
    await refused(['predict', '-i', at('good/imagesTs'), '-o', at('masks'), '--run', at('good')], /good: no plan\.json[^]*train --run/, {
      absent: at('masks'),
    });
    await refused(
      ['predict', '-i', at('good/imagesTs'), '-o', at('masks'), '--run', at('run'), '--checkpoint', 'best'],
      /no checkpoint named best[^]*Train first/,
      { absent: at('masks') },
    );
  });
  it('a folder in the place of a DICOM series that has no slice', async () => {
    mkdirSync(at('studies/series_1'), { recursive: true });
    writeFileSync(at('studies/series_1/notes.txt'), 'no slice');
    await refusedScan(at('studies'), /studies\/series_1: no DICOM image, got 1 files[^]*Point at the folder/);
    await refusedScan(at('studies/series_1'), /studies\/series_1: no DICOM image/);
  });
  it('a part that is none (usage)', () =>
    refused(['predict', '-i', at('good/imagesTs'), '-o', at('masks'), '--run', at('run'), '--part', '3/2'], /--part: got "3\/2"/, {
      code: 2,
      absent: at('masks'),
    }));
  it('a plan that was edited after the training', async () => {
    cpSync(at('run'), at('edited'), { recursive: true });
    json(at('edited/plan.json'), (p) => {
      p.data.window = [-160, 240];
    });
    await refused(
      ['predict', '-i', at('good/imagesTs'), '-o', at('masks'), '--run', at('edited')],
      /edited\/plan\.json: was edited after the training[^]*data\.window: got \[-160,240\], expected \[-1200,600\][^]*Put the values back/,
      { absent: at('masks') },
    );
    await refused(['label', at('good'), '-o', at('masks'), '--run', at('edited')], /edited\/plan\.json: was edited after the training/, {
      absent: at('masks'),
    });
  });
  it('a damaged run record, before it predicts', async () => {
    cpSync(at('run'), at('recordless'), { recursive: true });
    for (const [text, message] of [
      ['{"version": 1,', /recordless\/run\.json: not JSON[^]*Remove it/],
      ['[]', /recordless\/run\.json: not a run record, got \[\]/],
    ] as const) {
      writeFileSync(at('recordless/run.json'), text);
      await refused(['predict', '-i', at('good/imagesTs'), '-o', at('masks'), '--run', at('recordless')], message, { absent: at('masks') });
    }
  });
  it('to mix masks of two settings in one folder', async () => {
    mkdirSync(at('mixed'));
    writeFileSync(at('mixed/prediction.json'), JSON.stringify({ version: 1, run: at('elsewhere') }));
    await refused(
      ['predict', '-i', at('good/imagesTs'), '-o', at('mixed'), '--run', at('run')],
      /mixed\/prediction\.json: the masks in this folder come from another run[^]*another output folder/,
      { kept: at('mixed') },
    );
  });
});

describe('outputs that cannot be written', () => {
  // Root may write anywhere but into /proc.
  const linux = onLinux.it;
  linux('a run folder', () =>
    refused(
      ['train', at('good'), '--run', '/proc/voxelgrad', '--plan', writePlan(root, plan)],
      /\/proc\/voxelgrad\/checkpoints: could not be written[^]*(Create|Choose)/,
    ),
  );
  linux('a folder of masks', () =>
    refused(['predict', '-i', at('good/imagesTs'), '-o', '/proc/voxelgrad', '--run', at('run')], /\/proc\/voxelgrad: could not be written/),
  );
  linux('a summary', () =>
    refused(['eval', at('good/labelsTr'), at('good/labelsTr'), '--out', '/proc/voxelgrad'], /\/proc\/voxelgrad: could not be written/),
  );
  linux('a plan', () => refused(['plan', at('good'), '--out', '/proc/plan.json'], /\/proc\/plan\.json: could not be written/));
  linux('a data set', () =>
    refused(['import', 'phantom', '--to', '/proc/voxelgrad/data', '--cases', '5'], /\/proc\/voxelgrad[^]*could not be written/),
  );
  it.each([
    ['EROFS', /the file system is read-only/],
    ['EACCES', /no permission to write/],
    ['ENOSPC', /the disk is full/],
  ])('%s while a run folder is made', async (code, message) => {
    vi.spyOn(fs, 'mkdirSync').mockImplementation(() => {
      throw Object.assign(new Error(code), { code, syscall: 'mkdir' });
    });
    await refused(
      ['train', at('good'), '--run', at('out'), '--plan', writePlan(root, plan)],
      new RegExp(`out/checkpoints: could not be written, ${message.source}`),
      { absent: at('out') },
    );
  });

  onLinux.it('a disk that really is full: 64 KiB of memory', async () => {
    const small = at('small');
    mkdirSync(small);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]).status !== 0)
      return console.warn('not run: no right to mount a small file system');
    try {
      writeFileSync(join(small, 'ballast'), new Uint8Array(60 * 1024));
      await refused(
        ['train', at('good'), '--run', join(small, 'run'), '--plan', writePlan(root, plan)],
        /could not be written, the disk is full[^]*Free some space/,
      );
      await refused(['import', 'phantom', '--to', join(small, 'data'), '--cases', '5'], /the disk is full|ENOSPC/);
      expect(readdirSync(small)).toEqual(['ballast']);
    } finally {
      spawnSync('umount', [small]);
    }
  });
});

describe('eval and report refuse', () => {
  it('a mask with values of no class', async () => {
    mkdirSync(at('masks_of_others'));
    cpSync(at('good', LABEL), at('masks_of_others/phantom_003.nii.gz'));
    await change(at('masks_of_others/phantom_003.nii.gz'), (v) => {
      v[0] = 9;
    });
    await refused(
      ['eval', at('good'), at('masks_of_others')],
      /masks_of_others\/phantom_003\.nii\.gz: label values outside the data set's, got 9, expected 0 to 1/,
      { kept: at('masks_of_others') },
    );
  });
  it('one mask beside a folder of them', async () => {
    await refused(
      ['eval', at('good', LABEL), at('good/labelsTr')],
      /phantom_003\.nii\.gz: a file, but .*labelsTr is a folder[^]*Name the mask/,
      { kept: at('good') },
    );
    await refused(['eval', at('good'), at('good', LABEL)], /phantom_003\.nii\.gz: a file, but .*good is a folder/, { kept: at('good') });
  });
  it('a damaged prediction.json beside the masks', async () => {
    mkdirSync(at('damaged'));
    cpSync(at('good', LABEL), at('damaged/phantom_003.nii.gz'));
    for (const [text, message] of [
      ['{"run":', /damaged\/prediction\.json: not JSON[^]*Remove it/],
      ['null', /damaged\/prediction\.json: does not say which run the masks come from, got nothing/],
    ] as const) {
      writeFileSync(at('damaged/prediction.json'), text);
      await refused(['eval', at('good'), at('damaged')], message, { kept: at('damaged') });
    }
  });
  it('a run record that is no JSON', async () => {
    mkdirSync(at('reported'));
    writeFileSync(at('reported/run.json'), '{');
    await refused(['report', at('reported')], /reported\/run\.json: not JSON/, { kept: at('reported') });
  });
});
