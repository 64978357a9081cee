// SPDX-License-Identifier: MIT
// A worker for tests of the page alone: one phantom, drawings in memory, training that counts.
import type { Triple } from '../../src/axes.ts';
import { expose } from 'comlink';
import { makePhantom } from '../../src/data/phantom.ts';
import { axisOf, slice, putSlice } from '../../src/studio/annotate/planes.ts';
import { PHANTOM } from './phantom.ts';
import type { CaseInfo, CaseMask, LogPoint, Session, StudioEvent, StudioWorker, Training } from '../../src/studio/protocol.ts';

// A page in the folder `large` has a volume as large as they come, of air.
const large = location.pathname.startsWith('/large/');
const size: Readonly<Triple> = large ? [300, 512, 512] : PHANTOM.size;
const spacing: Readonly<Triple> = PHANTOM.spacing;
const made = large ? undefined : makePhantom(PHANTOM);
const voxels = made ? (made.image.data as Int16Array) : new Int16Array(size[0] * size[1] * size[2]);
const truth = made ? (made.label.data as Uint8Array) : new Uint8Array(voxels.length);
const labels = new Uint8Array(voxels.length);
const annotated = { transverse: new Set<number>(), coronal: new Set<number>() };

let tell: (event: StudioEvent) => void = () => {};
let session: Session | null = null;
let training: Training = { status: 'none', run: 0, done: 0, total: 0, log: [] };
let mask: CaseMask | null = null;
let timer: ReturnType<typeof setInterval> | undefined;

const info = (): CaseInfo => ({
  name: 'phantom_0',
  format: 'phantom',
  size,
  spacing,
  affine: [],
  remarks: [],
  annotated: { transverse: [...annotated.transverse], coronal: [...annotated.coronal] },
  share: annotated.transverse.size / size[0],
});
const now = (): Session => (session = { ...session!, cases: [info()], training });
const run = (): Training => {
  training = { ...training, status: 'running' };
  timer = setInterval(() => {
    const done = training.done + 1;
    const point: LogPoint | undefined =
      done % 5 === 0
        ? { iteration: done, seconds: 0.1 * done, loss: { '3d': 1.4 / (1 + done / 20), '2d': 1.2 / (1 + done / 30) } }
        : undefined;
    const validation: LogPoint = { iteration: done, dice: { ensemble: 0.9 - 0.8 / (1 + done / 10) } };
    const log = [...training.log, ...(point ? [point] : []), ...(done % 10 === 0 ? [validation] : [])];
    training = { ...training, done, log };
    tell({ kind: 'iteration', done, total: training.total, seconds: 0.1, ...(point && { point }) });
    if (done % 10 === 0) tell({ kind: 'validation', point: validation });
    if (done >= training.total) halt('finished');
  }, 100);
  return training;
};
const halt = (status: 'paused' | 'finished'): Training => {
  clearInterval(timer);
  training = { ...training, status };
  tell({ kind: 'training', status });
  return training;
};
const not = (): never => {
  throw new Error('fake worker: not here.');
};

const worker: StudioWorker = {
  async listen(listener) {
    tell = listener;
  },
  device: async () => ({ adapter: 'a fake', software: true, f16: false, maxBytes: 2 ** 30 }),
  storage: async () => ({ used: 0, quota: 2 ** 30, persisted: true }),
  estimate: async (preset) =>
    preset === 'base'
      ? {
          preset,
          iterations: 0,
          secondsPerIteration: 0,
          seconds: 0,
          bytes: 0,
          unfit: { code: 'LIMIT', message: 'base: needs 21 GB of GPU memory, got 8 GB.' },
        }
      : preset === 'tiny'
        ? { preset, iterations: 400, secondsPerIteration: 0.42, seconds: 168, bytes: 1.2e9 }
        : { preset, iterations: 120, secondsPerIteration: 0.05, seconds: 6, bytes: 3e8 },
  sessions: async () =>
    session
      ? []
      : [
          {
            id: 'old',
            name: 'Lung study',
            created: 1.7e12,
            changed: 1.7e12,
            bytes: 3.1e8,
            cases: 4,
            run: { done: 120, total: 400, finished: false },
            busy: false,
          },
          { id: 'busy', name: 'Liver', created: 1.7e12, changed: 1.7e12, bytes: 1.1e8, cases: 1, busy: true },
        ],
  createSession: not,
  openSession: not,
  async closeSession() {
    session = null;
  },
  renameSession: not,
  removeSession: not,
  importSession: not,
  session: async () => now(),
  async addFiles(files) {
    const problems = files.map(({ path }) => ({
      code: 'DATA',
      message: `${path}: is not a volume, got a file that ends in "${path.slice(-4)}", expected .nii, .nrrd, .mha or a DICOM file.`,
      hint: 'Convert it to NIfTI.',
    }));
    return { session: session!, added: [], problems };
  },
  async addPhantom() {
    session = {
      id: 'new',
      name: 'Sample phantom',
      classes: [
        { name: 'background', colour: '#000000' },
        { name: 'lesion', colour: '#ff9f1c' },
      ],
      cases: [],
      training,
    };
    return { session: now(), added: ['phantom_0'], problems: [] };
  },
  served: async () => null,
  addServed: not,
  removeCase: not,
  voxels: async () => ({ size, data: voxels, range: [-1024, 300] }),
  annotation: async () => labels,
  async annotate(_name, slices) {
    for (const edit of slices) {
      if (edit.labels) putSlice(labels, [...size], edit.plane, edit.index, edit.labels);
      if (edit.annotated !== undefined) annotated[edit.plane][edit.annotated ? 'add' : 'delete'](edit.index);
    }
    return info();
  },
  async setClasses(classes) {
    session = { ...session!, classes };
    return now();
  },
  training: async () => training,
  async start({ preset, iterations }) {
    training = { status: 'running', run: training.run + 1, preset, done: 0, total: iterations ?? 400, log: [] };
    tell({ kind: 'training', status: 'running' });
    return run();
  },
  pause: async () => halt('paused'),
  goOn: async () => run(),
  stop: async () => halt('finished'),
  async sliceMask(_name, view, index) {
    const { width, height, data } = slice(truth, [...size], view, index);
    return { view, index, size: [height, width], labels: data, agreement: 0.83, doubts: [], run: training.run, iteration: training.done };
  },
  async predict() {
    const doubts = ['voxels of 5 x 1 x 1 mm, where the scans that were trained on have 1.5 x 0.8 x 0.8. Look at this mask.'];
    return (mask = { labels: truth, agreement: null, doubts, run: training.run, iteration: training.done });
  },
  mask: async () => mask,
  async propose(_name, plane) {
    for (let k = 0; k < size[axisOf(plane)]; k++) if (!annotated[plane].has(k)) return { index: k, agreement: 0.61 };
    return null;
  },
  async exportFile({ what }) {
    return {
      name: `phantom_0_${what}.nii.gz`,
      blob: new Blob([labels]),
      notes: ['The name of the patient and dates are left out.', 'Made by networks of 30 iterations.'],
    };
  },
};
expose(worker);
