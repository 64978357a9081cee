// SPDX-License-Identifier: MIT
// What a preset takes on this device: one iteration on made-up data is timed, after one that compiled the kernels.
import type { Triple } from '../../axes.ts';
import { makePhantom } from '../../data/phantom.ts';
import { cutSample } from '../../data/roi.ts';
import { prepareCase } from '../../data/sample.ts';
import { LimitError } from '../../errors.ts';
import { openDevice, type Device } from '../../gpu/device.ts';
import { methodOf } from '../../methods/methods.ts';
import type { Plan } from '../../methods/plan.ts';
import { intensityWindow } from '../../train/cases.ts';
import { buildNetworks, buildOptimisers } from '../../train/networks.ts';
import type { DeviceReport, Estimate, StudioEvent, StudioPreset } from '../protocol.ts';
import { rasGrid } from './cases.ts';
import { failureOf } from './failure.ts';
import { fittedPlan } from './plans.ts';
import type { SessionRecord } from './record.ts';

export const reportOf = ({ info, caps }: Device): DeviceReport => ({
  adapter: `${info.name}${caps.software ? ' (software)' : ''}`,
  software: caps.software,
  f16: caps.f16,
  maxBytes: caps.limits.maxBufferSize,
});

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/** The preset fitted to what the session holds, annotated or not. */
function planFor(preset: StudioPreset, { name, classes, cases }: SessionRecord, software: boolean): Plan {
  const grids = cases.map(rasGrid),
    axes = [0, 1, 2] as const;
  const of = (pick: 'size' | 'spacing', otherwise: number): Triple =>
    axes.map((axis) => (grids.length > 0 ? median(grids.map((grid) => grid[pick][axis])) : otherwise)) as Triple;
  return fittedPlan(
    { name, classes: classes.map((each) => each.name), medianSpacing: of('spacing', 1), medianSize: of('size', 64) },
    preset,
    software,
  );
}

/** Null where it is called off: between two kernels, or two iterations. */
export async function estimate(
  preset: StudioPreset,
  record: SessionRecord,
  emit: (event: StudioEvent) => void,
  off?: AbortSignal,
): Promise<Estimate | null> {
  using device = await openDevice();
  const plan = planFor(preset, record, device.caps.software),
    { iterations } = plan.training,
    method = methodOf(plan),
    roi = [...plan.data.roi] as Triple;
  try {
    const nets = buildNetworks(plan),
      optimisers = buildOptimisers(plan, nets);
    const step = await method.step(plan, nets, optimisers, {
      partial: false,
      onProgress: (done, total) => {
        off?.throwIfAborted();
        emit({ kind: 'progress', work: 'estimate', done, total });
      },
    });
    const { image, label } = makePhantom({ size: roi, seed: 1, radii: [2, 6], classes: plan.classes.length - 1 });
    const { data: _voxels, ...stored } = image,
      labels = label.data as Uint8Array;
    const loaded = { name: 'made up', image, label: labels, weight: new Uint8Array(labels.length).fill(1), unlabelled: [], stored };
    const sample = cutSample(prepareCase(loaded, null, intensityWindow(plan.data)), [0, 0, 0], roi);
    let seconds = 0;
    for (let iteration = 0; iteration < 2; iteration++) {
      off?.throwIfAborted();
      const from = performance.now();
      const feeds = Array.from({ length: plan.training.batch }, (_, n) => method.feed(plan, { sample, unlabelled: [], n }) as unknown);
      await step.run(feeds, { iteration, ...method.schedule(plan, iteration, iterations, {}) });
      await device.sync();
      seconds = (performance.now() - from) / 1000;
    }
    return { preset, iterations, secondsPerIteration: seconds, seconds: seconds * iterations, bytes: device.memory().peak };
  } catch (error) {
    if (off?.aborted) return null;
    if (!(error instanceof LimitError)) throw error;
    return { preset, iterations, secondsPerIteration: 0, seconds: 0, bytes: 0, unfit: failureOf(error) };
  }
}
