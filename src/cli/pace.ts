// SPDX-License-Identifier: MIT
// How long training will take, said before it begins: the operations of an iteration at the rate of a product that is timed here.
import { matmul } from '../ops/matmul.ts';
import { tensor } from '../engine/tensor.ts';
import type { Device } from '../gpu/device.ts';
import { duration } from './text.ts';

const SIDE = 512;
/** Iterations reach this part of the rate of a product alone: norms, attention and copies count few operations and take their time. */
const REACHED = 0.4;

/** Operations a second in products of 512 x 512, in at most a second. */
async function productRate(device: Device): Promise<number> {
  using a = tensor(new Float32Array(SIDE * SIDE).fill(1), { shape: [SIDE, SIDE] });
  const times = async (n: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < n; i++) matmul(a, a).dispose();
    await device.sync();
    return (performance.now() - start) / 1000;
  };
  await times(1); // compiles
  let n = 2,
    seconds = await times(n);
  while (seconds < 0.1 && n < 1000) seconds = await times((n *= 4));
  // The shortest of a few: others compute here, too.
  for (let again = 0; again < 4; again++) seconds = Math.min(seconds, await times(n));
  return (n * 2 * SIDE ** 3) / seconds;
}

/** A line for a run of more than a minute. `limit`: minutes after which the clock ends it. */
export async function paceLine(
  device: Device,
  { flops, iterations }: { readonly flops: number; readonly iterations: number },
  limit: number | null,
): Promise<string | undefined> {
  const each = flops / ((await productRate(device)) * REACHED);
  const whole = each * iterations;
  if (whole < 60) return undefined;
  const stopped = limit !== null && limit * 60 < whole;
  return (
    `an iteration will take about ${duration(each)} on ${device.info.name}` +
    `${device.caps.software ? ' (software: a GPU is many times faster)' : ''}, by its ${(flops / 1e9).toFixed(0)} GFLOP and a ` +
    'quick measurement, right within a factor of three where nothing else computes; ' +
    (stopped
      ? `the clock ends training after ${duration(limit * 60)}`
      : `${iterations} iterations about ${duration(whole)}, beside validation`)
  );
}
