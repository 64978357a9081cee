// SPDX-License-Identifier: MIT
// The page: which cases, the measurement, a table that grows, and rows to take away.
import { CASES } from '../cases.mjs';
import { contest } from '../contest.mjs';
import { fileName, measurement } from '../rows.mjs';
import { ENGINES } from 'engines';
import { EngineWorker } from './engine_worker.mjs';

const NAMES = { ours: 'voxelgrad', jaxjs: 'jax-js', tfjs: 'TensorFlow.js' };
const SAMPLES = 7;
const by = (id) => document.getElementById(id);
const table = document.querySelector('table');
const cell = (tag, text, className = '') => Object.assign(document.createElement(tag), { textContent: text, className });
const engines = Object.keys(ENGINES).map((name) => new EngineWorker(name));
const rows = [];
let stopped = false;

/** Why nothing can be measured here, or undefined. */
async function obstacle() {
  if (!isSecureContext) return 'A browser offers WebGPU over HTTPS and on localhost only.';
  if (!navigator.gpu)
    return (
      'This browser has no WebGPU. Chrome and Edge 134 or newer have it; on Linux start Chrome with --enable-unsafe-webgpu ' +
      '--enable-features=Vulkan.'
    );
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter) return 'WebGPU found no adapter. chrome://gpu says why.';
  if (!adapter.features.has('subgroups'))
    return 'The adapter has no subgroups, which voxelgrad needs. Chrome and Edge 134 or newer offer them.';
  return undefined;
}

/** When, where and with what: what bench/results has of a machine, as far as a page may know it. All engines have ours' adapter. */
const machine = () => ({
  date: new Date().toISOString().slice(0, 19),
  adapter: engines[0].adapter,
  driver: engines[0].driver,
  browser: navigator.userAgent,
  cores: navigator.hardwareConcurrency,
  commit: COMMIT,
});

function show(c, pass, found, leftOut, limits) {
  const ours = found.find(({ engine }) => engine === 'ours');
  const line = document.createElement('tr');
  line.append(cell('td', c.name), cell('td', pass));
  for (const { name } of engines) {
    const row = found.find(({ engine }) => engine === name);
    const problem = leftOut.find(({ engine }) => engine === name)?.problem;
    const ratio = row && ours && row !== ours ? ` (${(row.ms / ours.ms).toFixed(2)})` : '';
    line.append(row ? cell('td', `${row.ms.toFixed(2)}${ratio}`) : cell('td', problem, 'problem'));
  }
  const share = ours && measurement(c, pass, ours, { clock: 'wall', limits }).of_limit;
  line.append(cell('td', share ? `${(100 * share).toFixed(0)} %` : ''));
  table.tBodies[0].append(line);
  for (const row of found) rows.push({ ...machine(), ...measurement(c, pass, row, { clock: 'wall', limits }) });
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  URL.revokeObjectURL(by('rows').href);
  by('rows').href = URL.createObjectURL(new Blob([text], { type: 'application/jsonl' }));
  by('lines').querySelector('pre').textContent = text;
  by('rows').download = fileName(engines[0].adapter || 'adapter');
  by('rows').hidden = by('lines').hidden = rows.length === 0;
}

async function measure() {
  stopped = false;
  by('progress').className = '';
  by('start').disabled = true;
  by('stop').disabled = false;
  by('cases').disabled = true;
  const chosen = CASES.filter(({ name }) => by(`case-${name}`).checked);
  const work = chosen.flatMap((c) => c.passes.map((pass) => ({ c, pass })));
  try {
    const { ok, limits, error } = await engines[0].ask('limits');
    if (!ok) throw new Error(error);
    by('adapter').textContent =
      `${engines[0].adapter}: ${limits.gflops.toFixed(0)} GFLOP/s of multiply-adds, ${limits.gbs.toFixed(1)} GB/s of copying.`;
    table.hidden = by('add').hidden = false;
    let failed = 0;
    for (const [i, { c, pass }] of work.entries()) {
      if (stopped) break;
      by('progress').textContent = `${i + 1} of ${work.length}: ${c.name}, ${pass}`;
      const { rows: found, leftOut } = await contest(engines, c, pass, SAMPLES);
      show(c, pass, found, leftOut, limits);
      if (leftOut.some(({ engine }) => engine === 'ours')) failed++;
    }
    by('progress').textContent = stopped
      ? 'Stopped.'
      : `Done: ${work.length - failed} measured${failed > 0 ? `; of ${failed} the table says why not` : ''}.`;
  } catch (e) {
    by('progress').textContent = `Nothing more can be measured: ${e.message}`;
    by('progress').className = 'failed';
  }
  for (const engine of engines) engine.end();
  by('start').disabled = false;
  by('stop').disabled = true;
  by('cases').disabled = false;
}

for (const { name, passes } of CASES) {
  const label = document.createElement('label');
  label.append(Object.assign(document.createElement('input'), { type: 'checkbox', id: `case-${name}`, checked: true }), ` ${name}`);
  label.title = passes.join(', ');
  by('cases').append(label);
}
const head = document.createElement('tr');
head.append(...['case', 'pass', ...engines.map(({ name }) => NAMES[name]), 'of the limit'].map((text) => cell('th', text)));
table.tHead.append(head);
by('start').addEventListener('click', () => void measure());
by('stop').addEventListener('click', () => {
  stopped = true;
  by('progress').textContent = 'Stopping after this case.';
});
const problem = await obstacle();
by('adapter').textContent = problem ?? 'Ready. All of it takes some minutes on a GPU.';
if (problem) by('adapter').className = 'failed';
by('start').disabled = problem !== undefined;
