// SPDX-License-Identifier: MIT
// voxelgrad train: one plan, one fold, one run folder.
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Option, type Command } from 'commander';
import { channelWords } from '../data/hounsfield.ts';
import { openDataset } from '../io/node/dataset/open.ts';
import { type Dataset } from '../data/dataset.ts';
import { DataError, DeviceLostError, printable, UsageError } from '../errors.ts';
import { openDevice } from '../gpu/device.ts';
import { refuseChanged, sumOfDataset } from '../train/data_files.ts';
import { fingerprintOf } from '../train/fingerprint.ts';
import { foldOfRun, type Progress, type TrainOutcome } from '../train/loop.ts';
import { train as runTraining } from '../io/node/run/train.ts';
import { ablate, parsePlan } from '../train/plan.ts';
import { ANNOTATION_SCHEMES, PRESETS, type Plan, type Preset } from '../methods/plan.ts';
import { readBytes } from '../files/regular.ts';
import { suitPlan } from '../train/initial_weights.ts';
import { frozenNetworks } from '../train/networks.ts';
import { inferPlan } from '../train/presets.ts';
import { assertNoRun } from '../train/run_store.ts';
import { adaptersBefore } from '../train/start.ts';
import { doubtfulWords } from '../train/survey.ts';
import { folderStore, tracesOf } from '../io/node/run/folder.ts';
import { newestCheckpoint } from '../io/node/run/checkpoint.ts';
import { ensembleWords } from '../train/ensemble.ts';
import { METHODS, methodOf } from '../methods/methods.ts';
import { joinMpi } from '../mpi/join.ts';
import type { Mpi } from '../mpi/library.ts';
import { MpiRanks } from '../mpi/ranks.ts';
import type { Ranks } from '../train/ranks.ts';
import { failureOf } from './failure.ts';
import { integer, number } from './numbers.ts';
import { paceLine } from './pace.ts';
import { assertOneSource, readPlanFile } from './plan_file.ts';
import { adapterWords, firstFacts, machineOf, readRecord, updateRecord, type RunRecord } from './run_record.ts';
import { commandLine } from './text.ts';
import { trainingProgress } from './training_progress.ts';
import { tunedTiles } from './tuned_tiles.ts';
import { DEVICE, shareDevices, takeDevice } from './which_gpu.ts';
import type { Context, Outcome, Verb } from './verb.ts';

interface Options {
  readonly run: string;
  readonly plan?: string;
  readonly preset?: Preset;
  readonly method?: string;
  readonly fold?: number;
  readonly iterations?: number;
  readonly epochs?: number;
  readonly maxMinutes?: number;
  readonly seed?: number;
  readonly annotation?: Plan['annotation']['use'];
  readonly every?: number;
  readonly cases?: number;
  readonly ablate?: string;
  readonly init?: string;
  readonly resume?: boolean;
  readonly once?: boolean;
  readonly force?: boolean;
  readonly dataChanged?: boolean;
  readonly ranksChanged?: boolean;
  readonly device?: number;
}

/** Options that make a plan; a resumed run has its own. */
const PLANNING = [
  'plan',
  'preset',
  'method',
  'fold',
  'iterations',
  'epochs',
  'maxMinutes',
  'seed',
  'annotation',
  'every',
  'cases',
  'ablate',
  'init',
];

/** The plan named, else the one that `voxelgrad plan` left in the data set, unless a preset was asked for. */
function planFileOf({ folder }: Dataset, { plan, preset, method }: Options, context: Context): string | undefined {
  if (plan !== undefined) return plan;
  const own = join(folder, 'plan.json');
  if (!existsSync(own)) return undefined;
  const made = preset !== undefined || method !== undefined;
  context.note(made ? `plan: preset ${preset ?? 'tiny'} fitted to the data set; ${own} is left aside` : `plan: ${own}`);
  return made ? undefined : own;
}

async function planOf(dataset: Dataset, options: Options, context: Context): Promise<Plan> {
  const file = planFileOf(dataset, options, context);
  const base = file !== undefined ? readPlanFile(file) : inferPlan(await fingerprintOf(dataset), options.preset ?? 'tiny', options.method);
  // Weights of code that computes otherwise than ours change the plan that is made for them, never one that somebody wrote.
  const suited = file === undefined && options.init !== undefined && suitPlan(base, readBytes(options.init), options.init);
  if (suited) context.note(suited);
  const plan = ablate(base, options.ablate ? options.ablate.split(',').map((s) => s.trim()) : []);
  if (options.fold !== undefined) plan.split.fold = options.fold;
  if (options.iterations !== undefined) plan.training.iterations = options.iterations;
  if (options.epochs !== undefined) {
    const { folds, selectionShare } = plan.split;
    const cases = Math.round(dataset.training.length * (folds === 1 ? 1 : (folds - 1) / folds) * (1 - selectionShare));
    plan.training.iterations = Math.max(1, Math.round((options.epochs * cases) / plan.training.batch));
    context.note(`${options.epochs} epochs of about ${cases} cases: ${plan.training.iterations} iterations`);
  }
  if (options.maxMinutes !== undefined) {
    plan.training.maxMinutes = options.maxMinutes;
    // The clock alone decides, unless a length was given, too: then whichever is shorter.
    if (options.iterations === undefined && options.epochs === undefined) plan.training.iterations = 10_000_000;
  }
  if (options.seed !== undefined) plan.training.seed = options.seed;
  if (options.annotation !== undefined) plan.annotation.use = options.annotation;
  if (options.every !== undefined) plan.annotation.every = options.every;
  if (options.cases !== undefined) plan.annotation.cases = options.cases;
  return parsePlan(plan, file ?? 'plan');
}

/** A run goes on with the cases that it began with; of the files in them, its checkpoints know more than its record. */
async function assertSameCases(plan: Plan, dataset: Dataset, { run, dataChanged = false }: Options): Promise<void> {
  const { fold, provenance } = readRecord(run);
  const { state } = await newestCheckpoint(run);
  if (fold !== undefined && !isDeepStrictEqual(fold, foldOfRun(plan, dataset, state.fold))) {
    throw new DataError(
      `${dataset.folder}: not the cases that the run began with, got another fold than ${join(run, 'run.json')} holds.`,
      'Name the data set of the run, as it was; else train into a new folder.',
    );
  }
  const hash = provenance?.datasets?.[0]?.hash;
  if (hash === undefined || dataChanged || state.data) return;
  if (hash !== `sha256:${await sumOfDataset(dataset)}`)
    refuseChanged(dataset.folder, [`some that ${join(run, 'run.json')} has the sum of`]);
}

/** Losses of the device in a row, without an iteration between them, that end a run. */
const PATIENCE = 3;

interface Session {
  readonly plan: Plan;
  readonly dataset: Dataset;
  readonly options: Options;
  readonly signal: AbortSignal;
  readonly argv: readonly string[];
  readonly ranks: Ranks | null;
  onProgress(p: Progress): void;
}

/**
 * Trains, and opens the device anew where it is lost, as long as that gets further. Of several processes, all end with the one that lost
 * its own.
 */
async function survive(
  { plan, dataset, options, signal, argv, ranks, onProgress }: Session,
  context: Context,
): Promise<TrainOutcome & { record: RunRecord }> {
  let resume = options.resume ?? false;
  let furthest = 0;
  for (let lost = 0; ;) {
    // A run goes on with the tiles that it began with, whatever has been tuned since.
    const begun = resume ? (await newestCheckpoint(options.run)).state : undefined;
    using device = await openDevice({ tiles: (info) => (begun ? (begun.tiles ?? {}) : tunedTiles(info)) });
    const left = begun && adaptersBefore(begun, device.info);
    if (left && left.length > (begun.adapters?.length ?? 0))
      context.note(
        `another adapter than ${adapterWords(left)}: times of both are added up, and the last bits are not those of either alone`,
      );
    try {
      const outcome = await runTraining({
        plan,
        dataset,
        folder: options.run,
        resume,
        force: options.force ?? false,
        dataChanged: options.dataChanged ?? false,
        ranksChanged: options.ranksChanged ?? false,
        once: options.once ?? false,
        onWait: (who, ms) => context.note(`${options.run}: held by ${who}; waiting ${Math.round(ms / 1000)} s to see whether it lives`),
        ...(ranks && { ranks }),
        ...(options.init && { init: options.init }),
        signal,
        onProgress: (p) => {
          if (p.stage === 'train' && p.done > furthest) {
            furthest = p.done;
            lost = 0;
          }
          onProgress(p);
        },
        onCompiled: async (work) => {
          const line = await paceLine(device, work, plan.training.maxMinutes);
          if (line) context.note(line);
          if (work.apart.length > 0)
            context.note(
              `${work.apart.join(', ')}: batch norms take statistics of each process's own volumes, so this is not what one ` +
                'process learns from all of them',
            );
        },
        onInit: ({ file, loaded, drawn, unused }) =>
          context.note(
            [
              `${file}: weights of ${loaded.join(', ')}`,
              ...(drawn.length ? [`${drawn.join(', ')} drawn from the seed`] : []),
              ...(unused.length
                ? [`${unused.length} tensors not used (${unused.slice(0, 3).join(', ')}${unused.length > 3 ? ', ...' : ''})`]
                : []),
            ].join('; '),
          ),
        onSurvey: (found, fold, changes) => {
          const doubt = doubtfulWords(found);
          if (doubt !== undefined) context.note(doubt);
          updateRecord(options.run, ({ provenance }) => ({
            ...firstFacts(plan, dataset, found, changes, (resume && provenance?.command) || commandLine(argv)),
            fold,
            machine: machineOf(device),
          }));
        },
      });
      if (ranks && ranks.rank > 0) return { ...outcome, record: { version: 1 } };
      const { state, finished, fold } = outcome;
      const peakBytes = device.memory().peak;
      const names = { compile: 'compile kernels', train: 'train', validate: 'validate while training' };
      const stages = (['compile', 'train', 'validate'] as const).map((key) => ({
        name: names[key],
        seconds: state.stages[key],
        ...(key === 'train' && { peakBytes }),
      }));
      const { data: _sums, ...shown } = state; // of every file: the checkpoints have them
      const idle = begun?.iteration === state.iteration; // it was over, and this machine has trained nothing of it
      const record = updateRecord(options.run, ({ machine, stages: others = [] }) => ({
        fold,
        finished,
        state: shown,
        machine: (idle && machine) || machineOf(device, adapterWords(state.adapters)),
        dataset: resolve(dataset.folder),
        stages: [...stages, ...others.filter((stage) => !Object.values(names).includes(stage.name))],
      }));
      return { ...outcome, record };
    } catch (error) {
      // several processes would have to go back together
      if (!(error instanceof DeviceLostError) || ranks || ++lost >= PATIENCE) throw error;
      context.note(`${error.message} Going on from the last checkpoint with a new device.`);
      resume ||= tracesOf(options.run).length > 0;
    }
  }
}

export const train: Verb = {
  configure: (command: Command) => {
    command
      .argument('<dataset>', 'folder with dataset.json')
      .requiredOption('--run <folder>', 'where plan, checkpoints and log go')
      .option('--plan <file>', 'a plan (voxelgrad plan writes one; default: plan.json of the data set, else the preset)')
      .addOption(new Option('--preset <name>', 'sizes of the networks, fitted to the data set (default: tiny)').choices([...PRESETS]))
      .addOption(new Option('--method <name>', 'what is trained (default: sanet)').choices(Object.keys(METHODS)))
      .option('--fold <k>', 'fold held out', integer(0, 19))
      .option('--iterations <n>', 'length of the run', integer(1, 10_000_000))
      .option('--epochs <n>', 'length in passes over the training cases', integer(1, 100_000))
      .option(
        '--max-minutes <m>',
        'length by the clock: fixes the iterations after the first ten; with --iterations, whichever is shorter',
        number(0.1, 100_000),
      )
      .option('--seed <n>', 'weights, order, augmentation, clicks', integer(0, 2 ** 31 - 1))
      .addOption(
        new Option('--annotation <scheme>', 'what is annotated: as the data set says, everything, or simulated').choices([
          ...ANNOTATION_SCHEMES,
        ]),
      )
      .option('--every <n>', 'another stride of the simulated slices', integer(1, 512))
      .option('--cases <n>', 'how many training cases are annotated at all, drawn by the seed of the annotation', integer(1, 100_000))
      .option('--ablate <parts>', 'switch parts of the method off, comma separated; of sanet: msa, bgc, rm, cross, 2d, sam')
      .option(
        '--init <file>',
        "start from the weights of a checkpoint, or of a .safetensors or .pth state dict (names without a network: SAM-Med3D's, " +
          "also its image encoder alone, or a ResNet's of torchvision for the 2D encoders)",
      )
      .option('--resume', 'go on with the run in the folder')
      .option('--once', 'begin the run, or go on with it where it is there already, of the same plan; a run that is over is left alone')
      .option(...DEVICE)
      .option('--data-changed', 'with --resume: go on although files of the data set were changed since, and record which')
      .option('--ranks-changed', 'with --resume: go on with another number of processes (mpirun -n) than before, and record it')
      .option(
        '--force',
        'take the folder from a process of another machine at once, without watching for a minute and a half whether it lives',
      );
  },
  async run([folder], options: Options, context): Promise<Outcome> {
    const mpi = await joinMpi();
    if (options.device !== undefined) await takeDevice(options.device);
    if (!mpi) return trainRun(folder, options, context, null);
    try {
      if (options.device === undefined) await shareDevices((line) => context.note(line));
      const outcome = await trainRun(folder, options, mpi.rank === 0 ? context : { ...context, note: () => undefined }, mpi);
      mpi.finish();
      return mpi.rank === 0 ? outcome : { text: '', json: undefined };
    } catch (error) {
      const { message, hint, stack, exitCode } = failureOf(error);
      const where = `rank ${mpi.rank} of ${mpi.ranks} on ${hostname()}`;
      process.stderr.write(printable(`error: ${where}: ${stack ?? message}\n${hint ? `hint: ${hint}\n` : ''}`));
      mpi.abort(exitCode); // ends every process of the run; checkpoints are renamed into place, so the last one is whole
      throw error;
    }
  },
};

async function trainRun(folder: string, asked: Options, context: Context, mpi: Mpi | null): Promise<Outcome> {
  const planFile = join(asked.run, 'plan.json');
  if (asked.once && asked.resume) throw new UsageError('--once: got --resume beside it, but it resumes by itself.', 'Leave --resume out.');
  const begun = (asked.once ?? false) && existsSync(planFile);
  const options = begun ? { ...asked, resume: true } : asked;
  if (options.resume && !existsSync(planFile))
    throw new UsageError(`--resume: ${planFile} is missing, so there is no run to go on with.`, 'Leave --resume out to start one.');
  const given = PLANNING.filter((key) => key in options && options[key as keyof Options] !== undefined);
  if (asked.resume && given.length > 0)
    throw new UsageError(
      `--resume: got --${given[0].replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} beside it, but a resumed run keeps its plan.`,
      'Leave the option out, or start a new run folder.',
    );
  assertOneSource(options);
  const first = mpi === null || mpi.rank === 0;
  if (!options.resume && !options.once && first) await assertNoRun(folderStore(options.run));
  const dataset = await openDataset(folder);
  const plan = options.resume ? readPlanFile(planFile) : await planOf(dataset, options, context);
  if (begun && !isDeepStrictEqual(await planOf(dataset, asked, context), plan))
    throw new DataError(
      `${planFile}: the run in this folder has another plan than the one asked for.`,
      'Name another folder for another plan: one folder holds one run.',
    );
  const channels = channelWords(dataset.info.channels);
  if (channels !== undefined && first) context.note(`${join(folder, 'dataset.json')}: ${channels}`);
  if (options.resume) await assertSameCases(plan, dataset, options);
  else if (options.init === undefined && frozenNetworks(plan).length > 0)
    throw new UsageError(
      `--init is missing: the plan does not train ${frozenNetworks(plan).join(', ')} (trainable false), so its weights must come ` +
        'from a file.',
      'Name them with --init, or set trainable to true.',
    );

  const ranks = mpi && new MpiRanks(mpi, plan.training.transport === 'f16');
  if (mpi && ranks) {
    // Some launchers name the one that died by its number alone.
    const who = await ranks.gather(`${process.pid} on ${hostname()}`);
    const list = who.map((each, rank) => `rank ${rank} is process ${each}`).join(', ');
    context.note(`${mpi.ranks} processes: ${mpi.ranks * plan.training.batch} volumes an iteration; ${list}`);
  }
  if (options.resume && options.ranksChanged && first) {
    const before = (await newestCheckpoint(options.run)).state.ranks?.at(-1)?.ranks ?? 1;
    if (before !== (mpi?.ranks ?? 1))
      context.note(
        `${before} processes have trained so far: sums come in another order from here on, of another number of volumes an iteration`,
      );
  }
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130);
    context.note('Stopping after this iteration (Ctrl-C again to stop at once).');
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const show = trainingProgress(context);
  try {
    const { state, finished, record } = await survive(
      { plan, dataset, options, signal: stop.signal, argv: context.argv, ranks, onProgress: first ? show.update : () => undefined },
      context,
    );
    if (!first) return { text: '', json: undefined };
    const again = commandLine(['train', folder, '--run', options.run, '--resume']);
    const best = state.best
      ? `best validation Dice ${(100 * state.best.score).toFixed(1)} % at iteration ${state.best.iteration}`
      : 'no validation yet';
    const votes = state.ensemble && ensembleWords(state.ensemble, Object.keys(methodOf(plan).networks(plan)));
    return {
      text: finished
        ? `Trained ${state.iterations} iterations in ${Math.round(state.seconds)} s on ${record.machine!.adapter}: ${best}.\n` +
          `${votes === undefined ? '' : `At the end ${votes}.\n`}Checkpoints: ${join(options.run, 'checkpoints')}`
        : `Stopped at iteration ${state.iteration} of ${state.iterations}; everything is saved. Go on with:\n  ${again}`,
      json: { ...record, resume: finished ? null : again },
    };
  } finally {
    show.end();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
