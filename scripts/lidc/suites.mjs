// SPDX-License-Identifier: MIT
// Which runs an experiment is made of, what each one's plan is, and what their results decide. Plain data: nothing is run here.
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

/** Annotation of a run, by setting. */
export const SETTINGS = {
  dense: { use: 'dense', every: null, cases: null },
  third: { use: 'transverse', every: null, cases: null },
  central: { use: 'central', every: null, cases: null },
  every6: { use: 'transverse', every: 6, cases: null },
  cases5: { use: 'dense', every: null, cases: 5 },
};
/** Where labels are what is missing, perhaps. */
const SCARCE = ['central', 'every6', 'cases5'];
/** Points of Dice between dense and scarce labels under which a setting cannot show what an exchange is worth. */
export const LEAST_GAP = 5;
/** The parts of SA-Net that are off in the rows of the paper's table 2, and the control. */
const ABLATIONS = [['2d'], ['msa', 'bgc', 'rm'], ['bgc', 'rm'], ['rm'], [], ['cross']];

export const SUITES = ['table1', 'table2', 'scarce'];

const run = (setting, method, ablate, seed) => ({
  name: [setting, method, ...(ablate.length > 0 ? [`without-${ablate.join('-')}`] : []), `seed${seed}`].join('_'),
  setting,
  method,
  ablate,
  seed,
});

/** Percent of the Dice of a run, by its name, where it is done. `dice`: of all runs that are. */
const gapOf = (dice, setting, method, seed) => {
  const [dense, scarce] = ['dense', setting].map((s) => dice[run(s, method, [], seed).name]);
  return dense === undefined || scarce === undefined ? undefined : dense - scarce;
};

/**
 * Runs of a suite in their order, as far as it is known: what `scarce` goes on with depends on the Dice (%, by run name) of those before.
 * `skipped`: why settings are left.
 */
export function suiteRuns(suite, { methods, seeds, gapMethod = 'vnet' }, dice = {}) {
  if (suite === 'table1')
    return { runs: seeds.flatMap((seed) => methods.map((method) => run('third', method, [], seed))), skipped: [], open: false };
  if (suite === 'table2')
    return { runs: seeds.flatMap((seed) => ABLATIONS.map((off) => run('third', 'sanet', off, seed))), skipped: [], open: false };
  const [first] = seeds;
  const gaps = ['dense', ...SCARCE].map((setting) => run(setting, gapMethod, [], first));
  const known = SCARCE.map((setting) => ({ setting, gap: gapOf(dice, setting, gapMethod, first) }));
  const wide = known.filter(({ gap }) => gap >= LEAST_GAP);
  return {
    runs: [
      ...gaps,
      ...wide.flatMap(({ setting }) => seeds.flatMap((seed) => [run(setting, 'sanet', [], seed), run(setting, 'sanet', ['cross'], seed)])),
    ],
    skipped: known
      .filter(({ gap }) => gap < LEAST_GAP)
      .map(
        ({ setting, gap }) =>
          `${setting}: ${gapMethod} has ${gap.toFixed(1)} points of Dice less than with dense labels, under ${LEAST_GAP}: it is left`,
      ),
    open: known.some(({ gap }) => gap === undefined),
  };
}

/** What stands side by side at the end, each below a folder of its own: runs by name, and the method that the others are tested against. */
export function comparisonsOf(suite, runs) {
  if (suite !== 'scarce') return [{ to: suite, runs, against: 'sanet' }];
  const settings = [...new Set(runs.filter(({ method }) => method === 'sanet').map(({ setting }) => setting))];
  return [
    { to: 'scarce/gap', runs: runs.filter(({ method }) => method !== 'sanet') },
    ...settings.map((setting) => ({
      to: `scarce/${setting}`,
      runs: runs.filter((r) => r.method === 'sanet' && r.setting === setting),
      against: 'sanet without cross',
    })),
  ];
}

/** `a.b=JSON` as a path and a value. @throws Error where it is none, or the plan has no such field */
export function setField(plan, assignment) {
  const [, path, text] = /^([\w.]+)=(.+)$/s.exec(assignment) ?? [];
  if (path === undefined) throw new Error(`--set: got "${assignment}", expected FIELD=JSON, for example training.batch=4.`);
  const keys = path.split('.');
  const last = keys.pop();
  const holder = keys.reduce((at, key) => at?.[key], plan);
  if (holder === undefined || !(last in holder)) throw new Error(`--set: the plan has no field ${path}.`);
  try {
    holder[last] = JSON.parse(text);
  } catch {
    throw new Error(`--set ${path}: got ${text}, expected JSON.`);
  }
}

/** The plan of a run: that of its method and parts, with the run's annotation, seed and length, and fields that were set by hand. */
export function planOf(base, { setting, seed }, { iterations, set = [] }) {
  const plan = structuredClone(base);
  Object.assign(plan.annotation, SETTINGS[setting]);
  Object.assign(plan.training, { seed, ...(iterations !== undefined && { iterations }) });
  for (const assignment of set) setField(plan, assignment);
  return plan;
}

const digest = (value) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 10);

/** A folder's name says plan and data: what is done is found again, and nothing else is taken for it. */
export const folderOf = ({ name }, plan, data) => `${name}-${digest([plan, data])}`;

/** What makes an iteration slow or fast: runs that share it are timed once. */
export function paceKey({ annotation: _annotation, training, ...plan }) {
  const { seed: _seed, iterations: _iterations, ...rest } = training;
  return `${plan.method.name}-${digest([plan, rest])}`;
}

/**
 * Of a run of ten iterations and more with one validation at its end: seconds an iteration (the first compiles), and for the validation.
 */
export function paceOf(log, stages) {
  const at = (iteration) => log.find((row) => row.iteration === iteration && row.seconds !== undefined)?.seconds;
  return { iteration: (at(10) - at(1)) / 9, validation: stages.find(({ name }) => name === 'validate while training')?.seconds ?? 0 };
}

/** Seconds that a run still takes: its iterations, its validations, and the held-out cases, some four times as many as a validation has. */
export function secondsLeft({ training: { iterations, selections } }, pace, done) {
  const left = Math.max(0, 1 - done / iterations);
  return left * (iterations * pace.iteration + selections * pace.validation) + 4 * pace.validation;
}

/** @throws Error where a folder holds a run of another plan */
export function assertPlan(folder, found, wanted) {
  if (!isDeepStrictEqual(found, wanted)) throw new Error(`${folder}: holds a run of another plan. Move it away, or name another --out.`);
}

export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
