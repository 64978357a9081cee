// SPDX-License-Identifier: MIT
// One engine in a process of its own, driven by run.mjs over IPC: prepare a case (and give values to check), measure it, release it.
import { CASES, GPU_CASES } from './cases.mjs';
import { stopwatch } from './clock.mjs';
import { inputsOf } from './inputs.mjs';

const [name, clockName] = process.argv.slice(2);
let engine;
let current = null;
let clock;
let repeat = 1;

const handlers = {
  async open() {
    engine = await (await import(`./engines/${name}.mjs`)).open();
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
    clock = stopwatch(clockName);
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
    const end = clock();
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

async function answer({ type, ...request }) {
  try {
    process.send({ ok: true, ...(await handlers[type](request)) });
  } catch (e) {
    process.send({ ok: false, error: String(e?.message ?? e).split('\n')[0] });
  }
}

process.on('message', (message) => void answer(message));

// Whoever asked is gone.
process.on('disconnect', () => process.exit());
