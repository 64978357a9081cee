// SPDX-License-Identifier: MIT
// Training as the page sees it: begun, paused, gone on with; the mask of the slice that is looked at, asked for now and then.
import type { Plane } from '../../axes.ts';
import { axesAlong, axisOf, slice } from '../annotate/planes.ts';
import {
  STUDIO_PRESETS,
  type Estimate,
  type Failure,
  type StudioEvent,
  type StudioPreset,
  type TrainChoice,
  type Training,
} from '../protocol.ts';
import { drawnPlane, indexOf, isDrawn, type Estimates, type State } from './state.ts';
import type { Studio } from './studio.ts';

/** Milliseconds, and iterations, between masks while training runs: each takes the place of a third of an iteration or so. */
const MASK_EVERY = 4000,
  ITERATIONS_A_MASK = 5;

/** Seconds that training chosen by itself takes at most; a preset takes at least so many times what the one before it takes. */
export const LONGEST = 1800;
const TIMES_MORE = 8;

/** The largest preset that was timed to end soon enough; the smallest where none does, or none was timed yet. */
export const fitting = (estimates: Estimates): StudioPreset =>
  STUDIO_PRESETS.filter((preset) => {
    const found = estimates[preset];
    return found && !found.unfit && found.seconds <= LONGEST;
  }).at(-1) ?? STUDIO_PRESETS[0];

/** Seconds an iteration of a run took, by its log. */
export function paceOf({ log }: Training): number | null {
  const last = log.filter(({ seconds }) => seconds !== undefined).at(-1);
  return last && last.iteration > 0 ? last.seconds! / last.iteration : null;
}

export class Trainer {
  private asking = false;
  private again = false;
  private last = 0;
  /** An iteration was done since training began here: the first one compiles kernels, and says nothing about the pace. */
  private warm = false;

  constructor(private readonly studio: Studio) {}
  private get state(): State {
    return this.studio.store.get();
  }
  private set(change: Partial<State>): void {
    this.studio.store.set(change);
  }

  /** Times one iteration, behind the person's back: training that begins meanwhile calls it off, and nothing comes of it. */
  time = async (preset: StudioPreset): Promise<Estimate | undefined> => {
    const { estimates, timing } = this.state;
    if (timing) return undefined;
    this.set({ timing: { preset } });
    const none = { preset, iterations: 0, secondsPerIteration: 0, seconds: 0, bytes: 0 };
    const found = await this.studio.worker.estimate(preset).catch((unfit: Failure): Estimate => ({ ...none, unfit }));
    const holds = found && this.state.estimates === estimates; // else other scans or classes came in
    this.set({ timing: null, ...(holds && { estimates: { ...estimates, [preset]: found } }) });
    return holds ? found : undefined;
  };
  /** Times presets from the smallest up, as far as one may end within what a person waits for. */
  fit = async (): Promise<void> => {
    if (Object.keys(this.state.estimates).length > 0) return;
    for (const preset of STUDIO_PRESETS) {
      const found = await this.time(preset);
      if (!found || found.unfit || TIMES_MORE * found.seconds > LONGEST) return;
    }
  };
  start = async (choice: TrainChoice): Promise<void> => {
    await this.ordered('Preparing the training', () => this.studio.worker.start(choice), true);
    if (this.state.training?.status === 'running') this.set({ picked: null });
  };
  pause = (): Promise<void> => this.ordered('Saving the training', () => this.studio.worker.pause());
  goOn = (): Promise<void> => this.ordered('Going on', () => this.studio.worker.goOn(), true);
  stop = (): Promise<void> => this.ordered('Saving the training', () => this.studio.worker.stop());

  /** The dense mask of the whole scan, kept. */
  predict = async (): Promise<void> => {
    const { scan } = this.state;
    if (!scan) return;
    const caseMask = await this.studio.busy('Making the mask', () => this.studio.worker.predict(scan.info.name));
    if (caseMask) this.set({ caseMask, sliceMasks: {} });
  };

  /** Goes to the slice most worth annotating next. */
  propose = async (): Promise<void> => {
    const { scan } = this.state;
    if (!scan) return;
    const plane = drawnPlane(this.state);
    if (!(await this.studio.draw.saved())) return;
    const found = await this.studio.told(() => this.studio.worker.propose(scan.info.name, plane));
    if (found === undefined) return;
    if (!found) return this.studio.tell({ message: `Every ${plane} slice is annotated.` }, 'info');
    this.set({ proposal: { plane, ...found }, main: plane });
    this.studio.look.to(plane, found.index);
  };

  hear(event: Exclude<StudioEvent, { kind: 'progress' | 'remark' }>): void {
    const { training, pace } = this.state;
    if (event.kind === 'lost') return this.studio.tell({ message: event.message }, event.again ? 'info' : 'error');
    if (event.kind === 'training') {
      if (event.failure) this.studio.tell(event.failure);
      void this.studio.told(async () => this.set({ training: await this.studio.worker.training() }));
      if (event.status !== 'running') this.lookedAt();
    } else if (training) {
      const log = event.point ? [...training.log.filter((p) => !samePoint(p, event.point!)), event.point] : training.log;
      if (event.kind === 'validation') return this.set({ training: { ...training, log } });
      const smooth = !this.warm ? null : pace === null ? event.seconds : 0.8 * pace + 0.2 * event.seconds;
      this.warm = true;
      this.set({ training: { ...training, log, done: event.done, total: event.total }, pace: smooth });
      if (performance.now() - this.last > Math.max(MASK_EVERY, ITERATIONS_A_MASK * 1000 * event.seconds)) void this.ask();
    }
  }

  /** What the networks make of a slice that is looked at: of the kept mask, or made for it. */
  maskOf(plane: Plane): Uint8Array | undefined {
    const { scan, sliceMasks, caseMask } = this.state;
    const index = indexOf(this.state, plane),
      own = sliceMasks[plane];
    if (own?.index === index) return own.labels;
    return scan && caseMask ? slice(caseMask.labels, scan.drawing.size, plane, index).data : undefined;
  }

  /** Another slice is looked at, or the weights changed. */
  lookedAt(): void {
    void this.ask();
  }

  private async ask(): Promise<void> {
    const { scan, training, main, shown } = this.state;
    const plane: Plane = main === 'space' ? 'transverse' : main;
    if (!scan || !shown.mask || !training || training.status === 'none' || this.current(plane)) return;
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    this.again = false;
    const index = indexOf(this.state, plane);
    const mask = await this.studio.told(() => this.studio.worker.sliceMask(scan.info.name, plane, index));
    this.asking = false;
    this.last = performance.now();
    const [u, v] = axesAlong(plane).map((axis) => scan.drawing.size[axis]);
    if (mask && mask.labels.length === u * v && this.state.scan === scan)
      this.set({ sliceMasks: { ...this.state.sliceMasks, [plane]: mask } });
    // At a failure the next look or iteration asks again.
    if (this.again && mask !== undefined) void this.ask();
  }

  /** The mask of the slice is as new as the weights are, so far as the page knows. */
  private current(plane: Plane): boolean {
    const { caseMask, sliceMasks, training } = this.state;
    if (training?.status === 'running') return false;
    const own = sliceMasks[plane];
    const fresh = (m: { readonly run: number; readonly iteration: number } | null | undefined): boolean =>
      m?.run === training?.run && m?.iteration === training?.done;
    return fresh(caseMask) || (own?.index === this.state.cross[axisOf(plane)] && fresh(own));
  }

  /** @param reads whether it trains on what is drawn, which has to be stored then */
  private async ordered(text: string, order: () => Promise<Training>, reads = false): Promise<void> {
    if (!(await this.studio.draw.saved()) && reads) return;
    this.warm = false;
    const training = await this.studio.busy(text, order);
    if (training) this.set({ training, pace: null, caseMask: training.status === 'running' ? null : this.state.caseMask });
    this.lookedAt();
  }
}

/** A proposal is of use while its slice is not annotated. */
export const openProposal = ({ proposal, scan }: State): State['proposal'] =>
  proposal && scan && !scan.drawing.isAnnotated(proposal.plane, proposal.index) && isDrawn(proposal.plane) ? proposal : null;

const samePoint = (a: Training['log'][number], b: Training['log'][number]): boolean =>
  a.iteration === b.iteration && (a.loss === undefined) === (b.loss === undefined);
