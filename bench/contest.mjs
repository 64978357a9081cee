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

/** Longer than a case takes anywhere, its first run and compilation included. */
const PREPARE_S = 300;

/**
 * `engines`: { name, adapter, driver, ask(type, request, seconds), end() }. A sample of one engine stands beside one of each other. One
 * that fails is ended: it may have lost its device, and the next case finds a new one.
 * @returns rows { engine, ms, fastest, first_ms, error, facts, adapter, driver }, and who was left out and why
 */
export async function contest(engines, c, pass, samples, seconds = PREPARE_S) {
  const expected = reference(c, pass);
  const leftOut = [];
  const leave = (engine, problem) => {
    engine.end();
    leftOut.push({ engine: engine.name, problem });
  };
  let ready = [];
  for (const engine of engines) {
    const { problem, ...found } = await checked(engine, c, pass, expected, seconds);
    if (problem) leave(engine, problem);
    else ready.push({ engine, ...found, times: [] });
  }
  const askAll = async (type, request) => {
    for (const one of ready) {
      const { ok, error, ms } = await one.engine.ask(type, request);
      if (ok && type === 'sample') one.times.push(ms);
      if (ok) continue;
      leave(one.engine, error);
      ready = ready.filter((other) => other !== one);
    }
  };
  await askAll('warm', { floor: SAMPLE_MS });
  for (let i = 0; i < samples; i++) await askAll('sample');
  const rows = ready.map(({ engine: { name, adapter, driver }, times, ...found }) => ({
    engine: name,
    ms: median(times),
    fastest: Math.min(...times),
    ...found,
    adapter,
    driver,
  }));
  for (const { engine } of ready) if (!(await engine.ask('release')).ok) engine.end();
  return { rows, leftOut };
}

async function checked(engine, c, pass, expected, seconds) {
  const places = Object.fromEntries(Object.keys(outputsOf(c, pass)).map((name) => [name, expected[name].at]));
  const { ok, error: failure, values, first_ms, facts } = await engine.ask('prepare', { case: c.name, pass, places }, seconds);
  if (!ok) return { problem: `${failure}` };
  const errors = Object.entries(expected).map(([name, { want }]) => [name, difference(values[name], want)]);
  const wrong = errors.filter(([, e]) => !(e <= tolerance(c)));
  if (wrong.length > 0) return { problem: `wrong ${wrong.map(([name, e]) => `${name} (${e.toExponential(1)})`).join(', ')}` };
  return { error: Math.max(...errors.map(([, e]) => e)), first_ms, facts };
}
