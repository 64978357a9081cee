// SPDX-License-Identifier: MIT
// Training of the open session: runs begun, paused, taken up again to the same bits, carried over a lost device.
import { DeviceLostError, VoxelgradError } from '../../errors.ts';
import { openDevice } from '../../gpu/device.ts';
import type { PageRun } from '../../io/browser/run.ts';
import type { Plan } from '../../methods/plan.ts';
import type { FirstWeights } from '../../train/initial_weights.ts';
import { train, type Between } from '../../train/loop.ts';
import { parsePlanText } from '../../train/plan.ts';
import type { LogEntry } from '../../train/run_log.ts';
import { checkpointFile, type RunStore } from '../../train/run_store.ts';
import { newestIn } from '../../train/start.ts';
import { doubtfulWords } from '../../train/survey.ts';
import type { Failure, LogPoint, StudioEvent, TrainChoice, Training } from '../protocol.ts';
import { failureOf } from './failure.ts';
import { chosenPlan } from './plans.ts';
import { datasetOf, isTrained, publish } from './publish.ts';
import { pointOf, runFacts } from './run_facts.ts';
import type { SessionStore } from './session_store.ts';

/** Losses of the device in a row, without an iteration between them, that pause a run. */
const PATIENCE = 3;
/** Points of the log that the page is given; of more, every so many. */
const MOST_POINTS = 2000;

/** Work between two iterations, where there is some waiting. */
export type Visit = (iteration: number, plan: Plan) => Between | undefined;

/** What is under way. */
interface Live {
  readonly number: number;
  readonly preset: string;
  readonly stop: AbortController;
  readonly points: LogPoint[];
  done: number;
  total: number;
  over: Promise<void>;
}

const thinned = (points: readonly LogPoint[]): LogPoint[] => {
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter((point, i) => (point.dice ?? point.fit) !== undefined || i % every === 0 || i === points.length - 1);
};

const planOf = async (run: PageRun): Promise<Plan> =>
  parsePlanText(new TextDecoder().decode(await run.read('plan.json')), run.path('plan.json'));

export class Trainer {
  private readonly store: SessionStore;
  private readonly emit: (event: StudioEvent) => void;
  private readonly visit: Visit;
  private live: Live | undefined;
  private failure: Failure | undefined;

  constructor(store: SessionStore, emit: (event: StudioEvent) => void, visit: Visit) {
    this.store = store;
    this.emit = emit;
    this.visit = visit;
  }

  get isRunning(): boolean {
    return this.live !== undefined;
  }

  async training(): Promise<Training> {
    const { live, failure } = this;
    if (live)
      return { status: 'running', run: live.number, preset: live.preset, done: live.done, total: live.total, log: thinned(live.points) };
    const facts = await runFacts(this.store.files, this.store.record.runs);
    if (!facts) return { status: 'none', run: 0, done: 0, total: 0, log: [], ...(failure && { failure }) };
    const { number: run, preset, done, total, finished, log } = facts;
    return { status: finished ? 'finished' : 'paused', run, preset, done, total, log: thinned(log), ...(failure && { failure }) };
  }

  async start(choice: TrainChoice, software: boolean): Promise<Training> {
    this.assertIdle();
    const { store } = this;
    if (!store.record.cases.some(isTrained))
      throw new VoxelgradError(
        'USAGE',
        'start: no slice is annotated.',
        'Paint some slices, or say of an empty one that nothing is there.',
      );
    const { status } = await this.training();
    if (status === 'paused') throw new VoxelgradError('USAGE', 'start: a run is paused.', 'Go on with it, or stop it first.');
    await publish(store, this.counts('read'));
    const dataset = await datasetOf(store);
    const number = store.record.runs.length + 1;
    const last = number > 1 && choice.preset === 'same' ? await planOf(await store.run(number - 1)) : undefined;
    const plan = await chosenPlan(choice, dataset, software, last);
    const init = number > 1 ? await this.weightsOf(number - 1, plan) : undefined;
    await store.files.remove(`runs/${number}`); // of a start that got no further
    const run = await store.run(number);
    await store.save(({ runs }) => ({ runs: [...runs, { preset: plan.preset, stopped: false }] }));
    this.begin({ number, preset: plan.preset, total: plan.training.iterations, done: 0, points: [] }, run, plan, false, init);
    return this.training();
  }

  async goOn(): Promise<Training> {
    this.assertIdle();
    const facts = await runFacts(this.store.files, this.store.record.runs);
    if (!facts || facts.finished)
      throw new VoxelgradError('USAGE', `goOn: ${facts ? 'the run is finished' : 'no run was begun'}.`, 'Start a new one.');
    const { number, preset, done, total, log } = facts;
    await publish(this.store, this.counts('read'));
    const run = await this.store.run(number);
    if (!(await run.has('plan.json'))) {
      await this.store.save(({ runs }) => ({ runs: runs.slice(0, -1) }));
      throw new VoxelgradError('USAGE', 'goOn: the run was closed before it began.', 'Start it again.');
    }
    const plan = await planOf(run);
    this.begin({ number, preset, done, total, points: [...log] }, run, plan, true);
    return this.training();
  }

  async pause(): Promise<Training> {
    this.live?.stop.abort();
    await this.live?.over;
    return this.training();
  }

  async stop(): Promise<Training> {
    await this.pause();
    const last = this.store.record.runs.at(-1);
    if (last && !last.stopped) await this.store.save(({ runs }) => ({ runs: [...runs.slice(0, -1), { ...runs.at(-1)!, stopped: true }] }));
    const now = await this.training();
    this.emit({ kind: 'training', status: now.status });
    return now;
  }

  private assertIdle(): void {
    if (this.live) throw new VoxelgradError('USAGE', 'training: a run is under way.', 'Pause it first.');
  }

  private counts(work: 'read'): (done: number, total: number) => void {
    return (done, total) => {
      this.emit({ kind: 'progress', work, done, total });
    };
  }

  /** The newest weights of a run, where they are those of the plan's networks. */
  private async weightsOf(number: number, plan: Plan): Promise<FirstWeights | undefined> {
    const run = await this.store.run(number);
    try {
      const before = await planOf(run);
      if (JSON.stringify(before.method) !== JSON.stringify(plan.method) || before.classes.length !== plan.classes.length) {
        this.emit({ kind: 'remark', message: `Run ${number} had other networks: training begins from the first weights.` });
        return undefined;
      }
      const { name, state } = await newestIn(run);
      return state.iteration === 0 ? undefined : { file: run.path(name), place: run.path(name), read: () => run.read(name) };
    } catch (error) {
      this.emit({ kind: 'remark', message: `Training begins from the first weights. ${failureOf(error).message}` });
      return undefined;
    }
  }

  private begin(facts: Omit<Live, 'stop' | 'over'>, run: PageRun, plan: Plan, resume: boolean, init?: FirstWeights): void {
    this.failure = undefined;
    const live: Live = { ...facts, stop: new AbortController(), over: Promise.resolve() };
    this.live = live;
    this.emit({ kind: 'training', status: 'running' });
    live.over = this.survive(live, run, plan, resume, init).then(
      () => undefined,
      async (error: unknown) => {
        this.failure = failureOf(error);
        // What failed before its first checkpoint is no run: another preset may fit.
        if (!(await run.has('plan.json')))
          await this.store.save(({ runs }) => ({ runs: runs.slice(0, facts.number - 1) })).catch(() => undefined);
      },
    );
    void live.over.then(async () => {
      this.live = undefined;
      const { status, failure } = await this.training();
      this.emit({ kind: 'training', status, ...(failure && { failure }) });
    });
  }

  /** Trains, and opens the device anew where it is lost, as long as that gets further. */
  private async survive(live: Live, run: PageRun, plan: Plan, resume: boolean, init?: FirstWeights): Promise<void> {
    let furthest = 0,
      lost = 0,
      goesOn = resume;
    const onDone = (done: number): void => {
      if (done <= furthest) return;
      furthest = done;
      lost = 0;
    };
    for (;;) {
      try {
        return await this.session(live, run, plan, goesOn, onDone, init);
      } catch (error) {
        if (!(error instanceof DeviceLostError)) throw error;
        const again = ++lost < PATIENCE && !live.stop.signal.aborted;
        this.emit({ kind: 'lost', message: failureOf(error).message, again });
        if (!again) throw error;
        goesOn ||= await run.has(checkpointFile('latest'));
      }
    }
  }

  /** Trains on a device of its own. A function by itself: esbuild's `using` in a loop would throw an error of an earlier turn again. */
  private async session(
    live: Live,
    run: PageRun,
    plan: Plan,
    resume: boolean,
    onDone: (done: number) => void,
    init?: FirstWeights,
  ): Promise<void> {
    using device = await openDevice();
    let begun = performance.now();
    await train({
      plan,
      dataset: await datasetOf(this.store),
      store: this.heard(live, run),
      signal: live.stop.signal,
      resume,
      onSurvey: (found) => {
        const doubt = doubtfulWords(found);
        if (doubt !== undefined) this.emit({ kind: 'remark', message: `${doubt[0].toUpperCase()}${doubt.slice(1)}` });
      },
      dataChanged: true, // a person draws on between sessions: the run records what changed
      ...(init && !resume && { init }),
      // Told when the device has done it: iterations that only wait there could be neither paused nor timed.
      between: async (done) => {
        await device.sync();
        const seconds = (performance.now() - begun) / 1000;
        onDone(done);
        this.counted(live, done, seconds);
        const visit = this.visit(done, plan);
        begun = performance.now();
        return (
          visit &&
          (async (predictor, ensemble) => {
            await visit(predictor, ensemble);
            begun = performance.now();
          })
        );
      },
      onProgress: ({ stage, done, total }) => {
        if (stage === 'read' || stage === 'compile') this.emit({ kind: 'progress', work: stage, done, total });
        else live.total = total;
        if (stage === 'compile') begun = performance.now();
      },
    });
  }

  /** The run, whose log is heard. */
  private heard(live: Live, run: PageRun): RunStore {
    const log = async (iteration: number): ReturnType<RunStore['log']> => {
      const writer = await run.log(iteration);
      live.points.splice(0, Infinity, ...live.points.filter((point) => point.iteration <= iteration));
      return {
        write: (entry: LogEntry) => {
          writer.write(entry);
          if (!entry.loss && !entry.dice && !entry.fit) return;
          const point = pointOf(entry);
          live.points.push(point);
          if (point.dice ?? point.fit) this.emit({ kind: 'validation', point });
        },
        [Symbol.dispose]: () => {
          (writer as Disposable)[Symbol.dispose]();
        },
      };
    };
    return {
      folder: run.folder,
      path: (name) => run.path(name),
      has: (name) => run.has(name),
      read: (name, most) => run.read(name, most),
      write: (name, content) => run.write(name, content),
      writer: (names) => run.writer(names),
      remove: (name) => run.remove(name),
      log,
    };
  }

  private counted(live: Live, done: number, seconds: number): void {
    live.done = done;
    const last = live.points.at(-1);
    this.emit({ kind: 'iteration', done, total: live.total, seconds, ...(last?.loss && last.iteration === done && { point: last }) });
  }
}
