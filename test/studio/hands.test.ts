// SPDX-License-Identifier: MIT
// What the page does of itself, without a page: what it times and chooses, and which masks it shows.
import { expect, it } from 'vitest';
import { STUDIO_PRESETS, type CaseMask, type Estimate, type Session, type StudioPreset } from '../../src/studio/protocol.ts';
import { Studio, type Worker } from '../../src/studio/page/studio.ts';
import { fitting, paceOf } from '../../src/studio/page/trainer.ts';

const session = (run: number, classes = 2): Session => ({
  id: 'a',
  name: 'a',
  classes: Array.from({ length: classes }, (_, i) => ({ name: `class ${i}`, colour: '#000000' })),
  cases: [
    {
      name: 'scan',
      format: 'nifti',
      size: [2, 3, 4],
      spacing: [1, 1, 1],
      affine: [],
      remarks: [],
      annotated: { transverse: [], coronal: [] },
      share: 0,
    },
  ],
  training: { status: run > 0 ? 'finished' : 'none', run, done: 4, total: 4, log: [] },
});
const estimateOf = (preset: StudioPreset, seconds: number): Estimate => ({
  preset,
  iterations: 100,
  secondsPerIteration: seconds / 100,
  seconds,
  bytes: 1e6,
});

/** A studio on a device on which presets take so many seconds; `timed` hears what it times. */
function studioWith(seconds: Readonly<Record<StudioPreset, number>>, own = session(0), mask: CaseMask | null = null) {
  const timed: StudioPreset[] = [];
  const worker = {
    estimate: async (preset: StudioPreset) => (timed.push(preset), estimateOf(preset, seconds[preset])),
    session: async () => own,
    voxels: async () => ({ size: [2, 3, 4], data: new Int16Array(24), range: [0, 0] }),
    annotation: async () => new Uint8Array(24),
    mask: async () => mask,
    sliceMask: async () => null,
    setClasses: async (classes: Session['classes']) => ({ ...own, classes }),
  };
  return { studio: new Studio(worker as unknown as Worker), timed };
}

it.each([
  ['a fast GPU', { demo: 2, tiny: 40, base: 1500 }, ['demo', 'tiny', 'base'], 'base'],
  ['a GPU that the largest networks keep for long', { demo: 5, tiny: 100, base: 9000 }, ['demo', 'tiny', 'base'], 'tiny'],
  ['a laptop', { demo: 30, tiny: 900, base: 1e6 }, ['demo', 'tiny'], 'tiny'],
  ['a processor', { demo: 900, tiny: 1e5, base: 1e7 }, ['demo'], 'demo'],
  ['a slow processor', { demo: 4000, tiny: 1e5, base: 1e7 }, ['demo'], 'demo'],
])('on %s it times what may end soon enough, and chooses the largest that does', async (_device, seconds, times, chosen) => {
  const { studio, timed } = studioWith(seconds);
  expect(fitting(studio.store.get().estimates)).toBe(STUDIO_PRESETS[0]); // before anything is known
  await studio.train.fit();
  expect(timed).toEqual(times);
  expect(fitting(studio.store.get().estimates)).toBe(chosen);
  await studio.train.fit();
  expect(timed).toEqual(times); // it is known
});

it('holds what was timed for other classes for nothing, and what failed for unfit', async () => {
  const { studio } = studioWith({ demo: 1, tiny: 1, base: 1 });
  studio.store.set({ session: session(0) });
  const worker = studio.worker as { estimate: unknown },
    quick = studio.worker.estimate;
  let over = (): void => {};
  worker.estimate = (preset: StudioPreset) => new Promise<void>((resolve) => (over = resolve)).then(() => quick(preset));
  const late = studio.train.time('demo');
  await studio.open.addClass();
  over();
  expect(await late).toBeUndefined();
  expect(studio.store.get()).toMatchObject({ estimates: {}, timing: null });
  worker.estimate = () => Promise.reject(new Error('the device was lost.'));
  await studio.train.fit();
  expect(studio.store.get().estimates.demo?.unfit?.message).toBe('the device was lost.');
  expect(studio.store.get().notices).toEqual([]);
  worker.estimate = quick;
  expect(await studio.train.time('demo')).toMatchObject({ seconds: 1 }); // asked again, it may go well
  expect(studio.store.get().estimates.demo?.unfit).toBeUndefined();
});

it('shows a kept mask of the newest run, and none of an earlier one', async () => {
  const mask: CaseMask = { labels: new Uint8Array(24), agreement: null, doubts: [], run: 1, iteration: 4 };
  for (const [run, shown] of [
    [1, mask],
    [2, null],
  ] as const) {
    // prettier-ignore
    const { studio } = studioWith({ demo: 1, tiny: 1, base: 1 }, session(run), mask);
    await studio.open.scan('scan');
    expect(studio.store.get().caseMask).toBe(shown);
  }
});

it('knows the pace of a run by its log', () => {
  const training = session(1).training;
  expect(paceOf(training)).toBeNull();
  const log = [{ iteration: 10, seconds: 5 }, { iteration: 20, seconds: 8 }, { iteration: 20, dice: { ensemble: 1 } }]; // prettier-ignore
  expect(paceOf({ ...training, log })).toBeCloseTo(0.4);
});
