// SPDX-License-Identifier: MIT
// What a plan costs before anything is trained: parameters of every network and module, memory and work of one iteration.
import type { TunedTiles } from '../gpu/caps.ts';
import { openDevice, type Device, type DeviceOptions } from '../gpu/device.ts';
import { dryDevice } from '../gpu/dry.ts';
import { Module } from '../nn/module.ts';
import { networkList } from '../methods/method.ts';
import { methodOf } from '../methods/methods.ts';
import type { Plan } from '../methods/plan.ts';
import { buildAverages, buildOptimisers, makeNetworks } from './networks.ts';

export interface NetworkSize {
  readonly total: number;
  readonly modules: Readonly<Record<string, number>>;
}

export interface IterationCost {
  /** Everything on the device at once: weights, moments, gradients, activations, volumes. */
  readonly memoryBytes: number;
  readonly flops: number;
  readonly programs: readonly {
    readonly name: string;
    readonly runs: number;
    readonly flops: number;
    readonly dispatches: number;
    readonly activationBytes: number;
  }[];
}

/** Trainable parameters by network and the modules directly below it. No weight is drawn. */
export function networkSizes(plan: Plan): Record<string, NetworkSize> {
  const below = (value: unknown): number =>
    value instanceof Module ? value.countParameters() : Array.isArray(value) ? value.reduce((n: number, v) => n + below(v), 0) : 0;
  return Object.fromEntries(
    networkList(makeNetworks(plan)).map(({ name, net }) => [
      name,
      {
        total: net.countParameters(),
        modules: Object.fromEntries(
          Object.entries(net)
            .map(([key, value]) => [key, below(value)] as const)
            .filter(([, n]) => n > 0),
        ),
      },
    ]),
  );
}

/** Traces and plans the training step on a device that computes nothing. Afterwards no device is current: open yours again. */
export async function iterationCost(plan: Plan, gpuDevice = dryDevice(), tiles?: DeviceOptions['tiles']): Promise<IterationCost> {
  using device = await openDevice({ gpuDevice, ...(tiles && { tiles }) });
  const nets = makeNetworks(plan);
  for (const { net } of networkList(nets)) net.blank();
  const optimisers = buildOptimisers(plan, nets);
  const step = await methodOf(plan).step(plan, nets, optimisers, { partial: false, averages: buildAverages(plan, nets, optimisers) });
  const programs = step.programs.map(({ name, runs, program }) => {
    const { flops, dispatches, slotBytes } = program.report();
    return { name, runs, flops, dispatches, activationBytes: slotBytes };
  });
  return { memoryBytes: device.memory().peak, flops: programs.reduce((n, p) => n + p.runs * p.flops, 0), programs };
}

/** Bytes at most on a device like this one while scans are predicted: weights, activations of every program, what goes in and out. */
export async function predictionDeviceBytes(plan: Plan, { caps, room }: Pick<Device, 'caps' | 'room'>): Promise<number> {
  const { maxStorageBufferBindingSize, maxBufferSize } = caps.limits;
  using device = await openDevice({
    gpuDevice: dryDevice({ software: caps.software, limits: { maxStorageBufferBindingSize, maxBufferSize } }),
    ...(caps.software && { memoryBudget: room }),
  });
  const nets = makeNetworks(plan);
  for (const { net } of networkList(nets)) net.blank();
  const predictor = await methodOf(plan).predictor(plan, nets);
  const roi = new Float32Array(plan.data.roi.reduce((a, b) => a * b, 1));
  // between them, runs of every size
  for (const n of [predictor.most, predictor.most - 1]) if (n > 0) await predictor.run(Array.from({ length: n }, () => roi));
  return device.memory().peak;
}

/**
 * Shape classes of the products in a plan's training step (ops/gemm.ts), as an adapter of that kind lowers it. No device is current
 * afterwards.
 */
export async function shapeClasses(plan: Plan, { software }: { software: boolean }): Promise<string[]> {
  const asked = new Set<string>();
  const tiles = new Proxy<TunedTiles>({}, { get: (_, shape) => void asked.add(shape as string) });
  await iterationCost(plan, dryDevice({ software }), () => tiles);
  return [...asked].sort();
}
