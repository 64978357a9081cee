// SPDX-License-Identifier: MIT
// Engines on one case: each one's result is checked against float64, then all are timed in turns.
import { outputsOf } from './cases.mjs';
import { difference, reference, tolerance } from './reference/index.mjs';

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

/** Least milliseconds of a sample. */
const SAMPLE_MS = 20;

/**
 * `engines`: { name, adapter, driver, ask(type, request, seconds) }. A sample of one engine stands beside one of each other.
 * @returns rows { engine, ms, fastest, first_ms, error, facts, adapter, driver }, and who was left out and why
 */
export async function contest(engines, c, pass, samples) {
  const expected = reference(c, pass);
  const ready = [];
  const leftOut = [];
  for (const engine of engines) {
    const { problem, ...found } = await checked(engine, c, pass, expected);
    if (problem) leftOut.push({ engine: engine.name, problem });
    else ready.push({ engine, ...found, times: [] });
  }
  for (const { engine } of ready) await engine.ask('warm', { floor: SAMPLE_MS });
  for (let i = 0; i < samples; i++) {
    for (const { engine, times } of ready) {
      const { ok, ms } = await engine.ask('sample');
      if (ok) times.push(ms);
    }
  }
  for (const engine of engines) await engine.ask('release');
  const rows = ready
    .filter(({ times }) => times.length > 0)
    .map(({ engine: { name, adapter, driver }, times, ...found }) => ({
      engine: name,
      ms: median(times),
      fastest: Math.min(...times),
      ...found,
      adapter,
      driver,
    }));
  return { rows, leftOut };
}

async function checked(engine, c, pass, expected) {
  const places = Object.fromEntries(Object.keys(outputsOf(c, pass)).map((name) => [name, expected[name].at]));
  const { ok, error: failure, values, first_ms, facts } = await engine.ask('prepare', { case: c.name, pass, places }, 300);
  if (!ok) return { problem: `${failure}` };
  const errors = Object.entries(expected).map(([name, { want }]) => [name, difference(values[name], want)]);
  const wrong = errors.filter(([, e]) => !(e <= tolerance(c)));
  if (wrong.length > 0) return { problem: `wrong ${wrong.map(([name, e]) => `${name} (${e.toExponential(1)})`).join(', ')}` };
  return { error: Math.max(...errors.map(([, e]) => e)), first_ms, facts };
}
