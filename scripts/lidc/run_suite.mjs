// SPDX-License-Identifier: MIT
// Runs a suite, one run after another: timed first, begun or taken up again, predicted, evaluated, compared at the end. Killed anywhere,
// it goes on from there when it is started again. `voxelgrad(...args)` runs a verb and throws where that fails or is stopped.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertPlan, comparisonsOf, duration, folderOf, paceKey, paceOf, planOf, secondsLeft, suiteRuns } from './suites.mjs';

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

function write(file, value) {
  writeFileSync(`${file}.part`, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(`${file}.part`, file);
}

/** Of every scan, label and JSON of a data set. */
export function dataDigest(data) {
  const hash = createHash('sha256');
  for (const name of ['dataset.json', 'annotations.json']) if (existsSync(join(data, name))) hash.update(readFileSync(join(data, name)));
  for (const folder of ['imagesTr', 'labelsTr'])
    for (const name of readdirSync(join(data, folder)).sort())
      hash.update(`${folder}/${name}\n`).update(readFileSync(join(data, folder, name)));
  return hash.digest('hex');
}

const rowsOf = (run) => {
  const file = join(run, 'log.jsonl');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return []; // the last line of a run that was killed
      }
    });
};

/** How far a run is: `iteration` of its training, and whether it is trained and evaluated. */
function stateOf(run) {
  return {
    begun: existsSync(join(run, 'plan.json')),
    iteration: rowsOf(run).findLast((row) => row.loss)?.iteration ?? 0,
    trained: existsSync(join(run, 'checkpoints', 'final.safetensors')),
    done: existsSync(join(run, 'summary.json')),
  };
}

export function runSuite(suite, { data, out, preset, iterations, set, seeds, methods, gapMethod, only = Infinity, say, voxelgrad }) {
  for (const folder of ['plans', 'pace', 'runs']) mkdirSync(join(out, folder), { recursive: true });
  const digest = dataDigest(data);
  const bases = new Map();
  const baseOf = ({ method, ablate }) => {
    const key = [preset, method, ...ablate].join('_');
    const file = join(out, 'plans', `${key}.json`);
    if (!bases.has(key)) {
      voxelgrad(
        'plan',
        data,
        '--preset',
        preset,
        '--method',
        method,
        '--out',
        file,
        '--force',
        ...(ablate.length > 0 ? ['--ablate', ablate.join(',')] : []),
      );
      bases.set(key, readJson(file));
    }
    return bases.get(key);
  };
  /** The suite as far as its results decide it: every run with its plan, folder and state. */
  const listed = () => {
    const place = (run) => {
      const plan = planOf(baseOf(run), run, { iterations, set });
      return { ...run, plan, folder: join(out, 'runs', folderOf(run, plan, digest)) };
    };
    const dice = {};
    for (;;) {
      const { runs, ...rest } = suiteRuns(suite, { methods, seeds, gapMethod }, dice);
      const placed = runs.map(place);
      const known = Object.keys(dice).length;
      for (const { name, folder } of placed)
        if (stateOf(folder).done) dice[name] = readJson(join(folder, 'summary.json')).foreground.metrics.Dice.mean;
      if (Object.keys(dice).length === known)
        return { runs: placed.map((run) => ({ ...run, state: stateOf(run.folder), dice: dice[run.name] })), ...rest };
    }
  };
  /** Seconds an iteration and a validation take, timed once for all runs of a shape. */
  const pace = (plan) => {
    const file = join(out, 'pace', `${paceKey(plan)}.json`);
    if (!existsSync(file)) {
      const scratch = join(out, 'pace', 'run');
      rmSync(scratch, { recursive: true, force: true });
      const short = { ...plan, training: { ...plan.training, iterations: 11, maxMinutes: null, selections: 1 } };
      write(join(out, 'pace', 'plan.json'), short);
      voxelgrad('train', data, '--plan', join(out, 'pace', 'plan.json'), '--run', scratch);
      if (!stateOf(scratch).trained) throw new Error('stopped while an iteration was timed. Run the same command again to go on.');
      write(file, paceOf(rowsOf(scratch), readJson(join(scratch, 'run.json')).stages));
      rmSync(scratch, { recursive: true, force: true });
    }
    return readJson(file);
  };
  const announce = ({ runs, skipped, open }) => {
    let total = 0;
    say(`\n${suite}: ${runs.length} runs, ${runs.filter(({ state }) => state.done).length} done`);
    for (const { name, plan, state, dice } of runs) {
      const left = state.done ? 0 : secondsLeft(plan, pace(plan), state.iteration);
      total += left;
      const how = state.done
        ? `done, Dice ${dice.toFixed(1)} %`
        : (state.begun ? `at iteration ${state.iteration} of ${plan.training.iterations}` : `${plan.training.iterations} iterations`) +
          `, about ${duration(left)}`;
      say(`  ${name.padEnd(34)} ${how}`);
    }
    for (const line of skipped) say(`  ${line}`);
    say(
      `  about ${duration(total)} to go${open ? ', and what the gaps between dense and scarce labels will decide' : ''}, where ` +
        'nothing else computes meanwhile',
    );
  };

  let suiteNow = listed();
  announce(suiteNow);
  for (let ran = 0; ran < only; ran++) {
    const next = suiteNow.runs.find(({ state }) => !state.done);
    if (!next) break;
    const { folder, plan, state } = next;
    say(`\n${next.name}: ${folder}`);
    if (!state.trained) {
      if (state.begun) {
        assertPlan(folder, readJson(join(folder, 'plan.json')), plan);
        voxelgrad('train', data, '--run', folder, '--resume');
      } else {
        rmSync(folder, { recursive: true, force: true }); // killed before it had a checkpoint
        write(join(out, 'plans', 'next.json'), plan);
        voxelgrad('train', data, '--run', folder, '--plan', join(out, 'plans', 'next.json'));
      }
      if (!stateOf(folder).trained) throw new Error(`${next.name}: stopped. Run the same command again to go on.`);
    }
    voxelgrad('predict', '--input', heldOut(folder, data, out, digest), '--output', join(folder, 'masks'), '--run', folder);
    voxelgrad('eval', join(data, 'labelsTr'), join(folder, 'masks'), '--out', folder);
    const decided = suiteNow.runs.length;
    suiteNow = listed();
    if (suiteNow.runs.length !== decided) announce(suiteNow);
  }
  const done = suiteNow.runs.filter(({ state }) => state.done);
  for (const { to, runs, against } of comparisonsOf(suite, done)) {
    if (runs.length < 2) continue;
    const named = against !== undefined && runs.some((r) => nameOf(r) === against) && runs.some((r) => nameOf(r) !== against);
    voxelgrad(
      'compare',
      ...runs.map(({ folder }) => folder),
      ...(named ? ['--against', against] : []),
      '--to',
      join(out, to),
      '--title',
      `${to}, preset ${preset}`,
    );
  }
  const left = suiteNow.runs.length - done.length;
  if (left > 0) say(`\nThe tables are partial: ${left} of ${suiteNow.runs.length} runs are not done.`);
  return suiteNow;
}

/** As `voxelgrad compare` names a method. */
const nameOf = ({ method, ablate }) => (ablate.length > 0 ? `${method} without ${ablate.join(', ')}` : method);

/** A folder with the scans of the fold that a run held out; the same for all runs of a split. */
function heldOut(run, data, out, digest) {
  const { test } = readJson(join(run, 'run.json')).fold;
  const folder = join(
    out,
    `held_out-${createHash('sha256')
      .update(JSON.stringify([test, digest]))
      .digest('hex')
      .slice(0, 10)}`,
  );
  if (existsSync(folder)) return folder;
  rmSync(`${folder}.part`, { recursive: true, force: true });
  mkdirSync(`${folder}.part`);
  // Named like the cases: in a folder of one file, _0000 would be part of the name.
  for (const name of test) copyFileSync(join(data, 'imagesTr', `${name}_0000.nii.gz`), join(`${folder}.part`, `${name}.nii.gz`));
  renameSync(`${folder}.part`, folder);
  return folder;
}
