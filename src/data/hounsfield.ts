// SPDX-License-Identifier: MIT
// Whether what is read can be CT in Hounsfield units, which windows of intensities are given in. Nothing in a file of numbers says so.

/** Scans whose values span less hold no tissue beside another, not even noise of CT. */
const LEAST_SPAN = 100;

/** Why values from `low` to `high` can hardly be a CT scan in Hounsfield units; undefined where they may be. */
export function notHounsfield(range: readonly [low: number, high: number]): string | undefined {
  const [low, high] = range.map((v) => Number(v.toPrecision(4))) as [number, number];
  if (low === high) return `every voxel has the value ${low}`;
  if (low >= 0) return `values from ${low} to ${high}, expected Hounsfield units, where air, lung and fat are below 0`;
  return high - low < LEAST_SPAN
    ? `values from ${low} to ${high}, expected Hounsfield units, where air, fat and muscle are ${LEAST_SPAN} and more apart`
    : undefined;
}

export const HOUNSFIELD_REMEDY =
  'Windows of intensities (data.window of a plan) are in Hounsfield units: ' +
  'give the scan as it was made, not normalised, with rescale slope and intercept applied.';

/** What becomes of a data set's channels, where that is not what everybody would expect. */
export function channelWords(channels: readonly string[]): string | undefined {
  const [first, ...others] = channels;
  if (others.length > 0)
    return `${channels.length} channels (${channels.join(', ')}), of which networks see the first alone, in Hounsfield units: ${first}`;
  return /(^|[^a-z])(cb|ce|hr|ld|nc)?cta?($|[^a-z])/i.test(first)
    ? undefined
    : `the channel is called "${first}", but intensities are windowed as CT's, in Hounsfield units`;
}
