// SPDX-License-Identifier: MIT
// What work takes, for tests that bound it: the processor's time, not the clock's, and by how fast the processor is just now. Others
// compute on the same cores.

/** Processor seconds of this process so far. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Small objects, maps and calls, as the building of a graph is. */
function task(): number {
  const map = new Map<string, { key: string; inputs: number[] }>();
  for (let i = 0; i < 120_000; i++) map.set(`node ${i}`, { key: `k${i % 977}`, inputs: [i, i >> 1, i >> 2] });
  return [...map.values()].reduce((n, { key, inputs }) => n + key.length + inputs.length, 0);
}

/** Seconds of `task`, warm, on a quiet core of the machine that the bounds were set on. */
const QUIET = 0.05;

/** 1 on that machine, 2 where the same work takes twice as long. */
export function slowness(): number {
  let best = Infinity;
  for (let i = 0; i < 6; i++) {
    const start = cpuSeconds();
    task();
    best = Math.min(best, cpuSeconds() - start);
  }
  return Math.max(1, best / QUIET);
}
