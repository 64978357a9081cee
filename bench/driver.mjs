// SPDX-License-Identifier: MIT
// One engine, driven by whoever has it: prepare a case (and give values to check), measure it, release it. A process (worker.mjs) or a
// worker of a page (page/worker.mjs) brings the messages.
import { CASES, GPU_CASES } from './cases.mjs';
import { inputsOf } from './inputs.mjs';

/**
 * @param load gives the engine's module
 * @param stopwatch a function that starts a measurement; the one it returns ends it, with milliseconds
 * @returns answers a message { type, ...request } with { ok: true, ... } or { ok: false, error }
 */
export function driver(load, stopwatch) {
  let engine;
  let current = null;
  let repeat = 1;
  const handlers = {
    async open() {
      engine = await (await load()).open();
      return { adapter: engine.name, driver: engine.driver };
    },

    async limits() {
      const { limitsOf } = await import('./limits.mjs');
      return { limits: await limitsOf(engine.device, () => engine.sync()) };
    },

    /** Values at the given places of every output, or the first four losses of a training step. */
    async prepare({ case: caseName, pass, places }) {
      const c = [...CASES, ...GPU_CASES].find((candidate) => candidate.name === caseName);
      const start = performance.now();
      current = await engine.prepare(c, pass, inputsOf(c));
      current.run();
      await current.wait();
      const first_ms = performance.now() - start;
      if (c.kind === 'step') {
        const losses = [await current.loss()];
        while (losses.length < 4) {
          current.run();
          losses.push(await current.loss());
        }
        return { first_ms, values: { y: losses }, facts: current.facts?.() };
      }
      const outputs = await current.read();
      return {
        first_ms,
        values: Object.fromEntries(Object.entries(places).map(([output, at]) => [output, at.map((i) => outputs[output][i])])),
        facts: current.facts?.(),
      };
    },

    /** Warms up and decides how many runs one sample holds, so that waiting for the queue weighs little. */
    async warm({ floor }) {
      let ms = Infinity;
      for (let i = 0; i < 2; i++) {
        const start = performance.now();
        current.run();
        await current.wait();
        ms = performance.now() - start;
      }
      repeat = Math.max(1, Math.min(50, Math.ceil(floor / ms)));
      return { ms };
    },

    async sample() {
      const end = stopwatch();
      for (let i = 0; i < repeat; i++) current.run();
      await current.wait();
      return { ms: end() / repeat };
    },

    async release() {
      current?.dispose();
      current = null;
      return {};
    },
  };
  return async ({ type, ...request }) => {
    try {
      return { ok: true, ...(await handlers[type](request)) };
    } catch (e) {
      return { ok: false, error: String(e?.message ?? e).split('\n')[0] };
    }
  };
}
