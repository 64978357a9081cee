// SPDX-License-Identifier: MIT
// What is said of a measurement: a line for people, a row for files, a comparison with a peer.
import { workOf } from './cases.mjs';

/** Where rows of an adapter are, below results/. */
export const fileName = (adapter) =>
  `${adapter
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^-|-$/g, '')}.jsonl`;

const round = (ms) => Number(ms.toPrecision(5));

/** Rate of a pass in { value, unit } and its share of the adapter's measured limit. */
function rateOf(c, pass, ms, limits) {
  const { flops, bytes } = workOf(c, pass);
  const [value, unit, limit] = flops ? [flops / ms / 1e6, 'GFLOP/s', limits?.gflops] : [bytes / ms / 1e6, 'GB/s', limits?.gbs];
  return { value, unit, share: limit && value / limit };
}

/** `measured`: engine, ms, fastest, first_ms, error, facts. `limits`: { gflops, gbs } of the adapter, where they were measured. */
export function measurement(c, pass, measured, { clock, limits }) {
  const { share } = rateOf(c, pass, measured.ms, limits);
  return {
    case: c.name,
    pass,
    engine: measured.engine,
    ms: round(measured.ms),
    fastest_ms: round(measured.fastest),
    first_ms: round(measured.first_ms),
    error: Number(measured.error.toPrecision(2)),
    clock,
    ...(share && { of_limit: Number(share.toFixed(3)) }),
    ...measured.facts,
  };
}

/** `ratio` above 1: we are faster. */
export const comparison = (c, pass, ours, peer) => ({
  case: c.name,
  pass,
  adapter: ours.adapter,
  ours_ms: round(ours.ms),
  peer: peer.engine,
  peer_ms: round(peer.ms),
  ratio: Number((peer.ms / ours.ms).toFixed(3)),
});

/** Of a case here and in an older checkout, timed in turns. */
export const change = (c, pass, ours, before, commit) => ({
  case: c.name,
  pass,
  before: commit,
  before_ms: round(before.ms),
  before_fastest_ms: round(before.fastest),
  ms: round(ours.ms),
  fastest_ms: round(ours.fastest),
});

export function line(c, pass, measured, { ours, limits }) {
  const { value, unit, share } = rateOf(c, pass, measured.ms, limits);
  const ratio = ours && measured !== ours ? `  ratio ${(measured.ms / ours.ms).toFixed(2)}` : '';
  return (
    `${c.name.padEnd(20)} ${pass.padEnd(8)} ${measured.engine.padEnd(6)} ${measured.ms.toFixed(2).padStart(9)} ms  ` +
    `${`${value.toFixed(2)} ${unit}`.padStart(15)}${share ? ` ${(100 * share).toFixed(0).padStart(3)} %` : ''}` +
    `  first ${(measured.first_ms / 1000).toFixed(2)} s  error ${measured.error.toExponential(1)}${ratio}`
  );
}
