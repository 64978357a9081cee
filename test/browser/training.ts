// SPDX-License-Identifier: MIT
// A worker that trains: files of a data set in, a mask out; the run in the origin's private file system. No Node anywhere.
import type * as Sanet from '../../src/sanet.browser.ts';

export interface Request {
  readonly files: ReadonlyMap<string, Blob>;
  readonly scan: string;
  readonly sam: boolean;
}
export interface Trained {
  readonly error?: string;
  readonly adapter: string;
  /** Iterations of the first session and of all, and the lines of the log. */
  readonly stopped: number;
  readonly done: number;
  readonly log: readonly Sanet.LogEntry[];
  /** What of the run is there after the first session, and in the end. */
  readonly traces: readonly (readonly string[])[];
  /** Messages of what must be refused: another tab in the run, a run begun twice. */
  readonly refused: readonly string[];
  /** The ensemble's mask, a NIfTI file. */
  readonly mask: readonly number[];
}

const message = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'not refused',
    (error: unknown) => (error as Error).message,
  );

async function trainHere(vg: typeof Sanet, { files, scan, sam }: Request): Promise<Omit<Trained, 'error'>> {
  const device = await vg.openDevice();
  const dataset = await vg.openDataset('phantoms', files);
  const plan = vg.inferPlan(await vg.fingerprintOf(dataset), 'demo');
  // SwiftShader has no GPU below it: smaller networks than the preset's.
  plan.data.roi = [8, 32, 32];
  plan.data.jitter = [1, 2, 2];
  Object.assign(plan.method.sam, { enabled: sam, size: 32, width: 48, depth: 1, heads: 2 });
  plan.method.cross.enabled = sam;
  plan.method.cross.slices = [4, 4];
  Object.assign(plan.method.network2d, { stem: 4, useMSA: false, useBGC: false, useRM: false });
  Object.assign(plan.training, { iterations: 5, selections: 1, checkpointEvery: 2 });
  return vg.withRun('demo', async (run) => {
    const stop = new AbortController();
    const first = await vg.train({
      plan,
      dataset,
      store: run,
      resume: false,
      signal: stop.signal,
      onProgress: ({ stage, done }) => {
        if (stage === 'train' && done === 3) stop.abort();
      },
    });
    const halfway = await vg.tracesIn(run);
    const refused = [
      await message(vg.withRun('demo', async () => {})),
      await message(vg.train({ plan, dataset, store: run, resume: false })),
    ];
    const { state } = await vg.train({ plan, dataset, store: run, resume: true });
    const predictor = await vg.methodOf(plan).predictor(plan, await vg.restoreFrom(plan, run, 'final'));
    const stored = await vg.readVolume(scan, files.get(scan)!);
    const { data: _voxels, ...grid } = stored;
    const prepared = vg.prepareScan(plan, 'scan', vg.toRas(stored), grid);
    const { ensemble } = await vg.segment(plan, predictor, prepared);
    const mask = await vg.volumeBytes('mask.nii.gz', vg.onStoredGrid(ensemble, prepared));
    predictor.dispose();
    device.close();
    return {
      adapter: device.info.name,
      stopped: first.state.iteration,
      done: state.iteration,
      log: await run.entries(),
      traces: [halfway, await vg.tracesIn(run)],
      refused,
      mask: [...mask],
    };
  });
}

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  // The bundle is served beside this file.
  const url: string = '/sanet.browser.js';
  const answer = import(url)
    .then((vg: typeof Sanet) => trainHere(vg, data))
    .catch((error: unknown) => ({ error: String((error as Error).stack ?? error) }));
  void answer.then((result) => postMessage(result));
});
