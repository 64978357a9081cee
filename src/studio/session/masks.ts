// SPDX-License-Identifier: MIT
// Masks by the newest weights: of a slice while training runs or rests, of a whole case when it rests, and which slice to draw next.
import type { Plane, SlicePlane, Triple } from '../../axes.ts';
import { toRas } from '../../data/orientation.ts';
import type { PreparedCase } from '../../data/sample.ts';
import { VoxelgradError } from '../../errors.ts';
import { openDevice, type Device } from '../../gpu/device.ts';
import { methodOf } from '../../methods/methods.ts';
import type { RoiPredictor } from '../../methods/method.ts';
import type { Plan } from '../../methods/plan.ts';
import { parseJson } from '../../files/json.ts';
import type { SpacingRange } from '../../data/familiar.ts';
import { patchStarts, type RoiNetworks } from '../../predict/predict_volume.ts';
import { ensembleWords, type Ensemble } from '../../train/ensemble.ts';
import { doubtsOf, prepareScan, segment } from '../../train/inference.ts';
import type { Between } from '../../train/loop.ts';
import { restoreFrom } from '../../train/networks.ts';
import { parsePlanText } from '../../train/plan.ts';
import type { CheckpointName } from '../../train/run_store.ts';
import { newestIn } from '../../train/start.ts';
import type { CaseMask, SliceMask, StudioEvent } from '../protocol.ts';
import { rasGrid, scanOf } from './cases.ts';
import { gridOf } from './record.ts';
import { agreementOf, AXIS, networksOf, proposed, segmentSlice, sliceOf } from './slices.ts';
import type { SessionStore } from './session_store.ts';

/** Networks of the newest checkpoint on a device of their own. */
interface Idle {
  readonly key: string;
  readonly device: Device;
  readonly plan: Plan;
  readonly predictor: RoiPredictor;
  readonly ensemble: Ensemble | undefined;
  readonly run: number;
  readonly iteration: number;
}

interface Wanted {
  readonly name: string;
  readonly view: Plane;
  readonly index: number;
  answer(mask: SliceMask | null): void;
  fail(error: unknown): void;
}

export const maskFile = (name: string): string => `masks/${name}.u8`;
export const maskFactsFile = (name: string): string => `masks/${name}.json`;

interface Facts {
  readonly run: number;
  readonly iteration: number;
  readonly agreement: Readonly<Record<SlicePlane, readonly number[]>> | null;
  /** Absent where everyone votes. */
  readonly votes?: string;
  /** As `CaseMask.doubts`; older sessions have none. */
  readonly doubts?: readonly string[];
}

export class Masks {
  private readonly store: SessionStore;
  private readonly emit: (event: StudioEvent) => void;
  private idle: Idle | undefined;
  private wanted: Wanted | undefined;
  private prepared: { readonly key: string; readonly scan: PreparedCase } | undefined;

  constructor(store: SessionStore, emit: (event: StudioEvent) => void) {
    this.store = store;
    this.emit = emit;
  }

  private assertSlice(name: string, view: Plane, index: number): void {
    const n = rasGrid(this.store.caseOf(name)).size[AXIS[view]];
    if (!(index >= 0 && index < n) || !Number.isInteger(index))
      throw new VoxelgradError('USAGE', `sliceMask: ${name}: got ${view} slice ${index}, expected 0 to ${n - 1}.`);
  }

  /** A slice that is to be segmented when the iteration under way is done; one that waits already is answered null. */
  later(name: string, view: Plane, index: number): Promise<SliceMask | null> {
    this.assertSlice(name, view, index);
    this.wanted?.answer(null);
    return new Promise((answer, fail) => {
      this.wanted = { name, view, index, answer, fail };
    });
  }

  /** What waits, for the loop to do; `Visit`. */
  visit(iteration: number, plan: Plan): Between | undefined {
    const { wanted } = this;
    if (!wanted) return undefined;
    this.wanted = undefined;
    return async (predictor, ensemble) => {
      try {
        wanted.answer(await this.slice({ plan, predictor, ensemble, run: this.store.record.runs.length, iteration }, wanted));
      } catch (error) {
        wanted.fail(error); // a mask that fails is no reason to end a run
      }
    };
  }

  /** Nobody will visit any more: who waits is answered. */
  forget(): void {
    this.wanted?.answer(null);
    this.wanted = undefined;
  }

  async now(name: string, view: Plane, index: number): Promise<SliceMask> {
    this.assertSlice(name, view, index);
    return this.slice(await this.ready(), { name, view, index });
  }

  private async slice(
    { plan, predictor, ensemble, run, iteration }: Omit<Idle, 'key' | 'device'>,
    { name, view, index }: Pick<Wanted, 'name' | 'view' | 'index'>,
  ): Promise<SliceMask> {
    const scan = await this.scan(plan, name),
      voters = ensemble?.members;
    const masks = await segmentSlice(plan, predictor, scan, view, index, voters);
    const [rows, columns] = scan.native.size.filter((_, axis) => axis !== AXIS[view]) as [number, number];
    return {
      view,
      index,
      size: [rows, columns],
      labels: masks.ensemble,
      agreement: agreementOf(networksOf(masks, voters)),
      doubts: doubtsOf(scan, plan, await this.spacing()),
      run,
      iteration,
    };
  }

  /** Of the scans that the newest run was trained on. */
  private async spacing(): Promise<SpacingRange | undefined> {
    return (await newestIn(await this.store.run(this.store.record.runs.length))).state.spacing;
  }

  /** The scan as the plan wants it; the last one is kept. */
  private async scan(plan: Plan, name: string): Promise<PreparedCase> {
    const key = JSON.stringify([name, plan.data]);
    if (this.prepared?.key !== key) {
      this.prepared = undefined; // first: there may not be room for two
      const record = this.store.caseOf(name);
      this.prepared = { key, scan: prepareScan(plan, name, toRas(await scanOf(this.store, record)), gridOf(record)) };
    }
    return this.prepared.scan;
  }

  private async ready(): Promise<Idle> {
    const number = this.store.record.runs.length;
    if (number === 0) throw new VoxelgradError('USAGE', 'mask: nothing was trained yet.', 'Annotate some slices and train first.');
    const run = await this.store.run(number);
    const { name, state } = await newestIn(run),
      key = `${number} ${state.iteration}`;
    if (this.idle?.key === key && !this.idle.device.isLost) return this.idle;
    this.release();
    const plan = parsePlanText(new TextDecoder().decode(await run.read('plan.json')), run.path('plan.json'));
    const device = await openDevice();
    try {
      const which = /([a-z]+)\.safetensors$/.exec(name)![1] as CheckpointName;
      const predictor = await methodOf(plan).predictor(plan, await restoreFrom(plan, run, which));
      this.idle = { key, device, plan, predictor, ensemble: state.ensemble, run: number, iteration: state.iteration };
      return this.idle;
    } catch (error) {
      device.close();
      throw error;
    }
  }

  /** Gives the device back; it is opened again when it is wanted. */
  release(): void {
    this.idle?.predictor.dispose();
    this.idle?.device.close();
    this.idle = undefined;
  }

  /** The dense mask of a case, made and kept. */
  async predict(name: string): Promise<CaseMask> {
    const { plan, predictor, ensemble, run, iteration } = await this.ready();
    const scan = await this.scan(plan, name),
      voters = ensemble?.members;
    const starts =
      patchStarts([...scan.grid.size], [...plan.data.roi] as Triple, plan.prediction.step).length * (plan.prediction.mirror ? 8 : 1);
    let done = 0;
    const counted: RoiNetworks = {
      most: predictor.most,
      run: async (images) => {
        const found = await predictor.run(images);
        done += images.length;
        this.emit({ kind: 'progress', work: 'predict', done, total: starts });
        return found;
      },
    };
    const masks = await segment(plan, counted, scan, voters),
      networks = networksOf(masks, voters),
      size: Triple = [...scan.native.size];
    const along = (view: SlicePlane): number[] =>
      Array.from({ length: size[AXIS[view]] }, (_, i) => agreementOf(networks.map((mask) => sliceOf(mask, size, view, i)))!);
    const votes = ensemble && ensembleWords(ensemble, Object.keys(methodOf(plan).networks(plan)));
    const facts: Facts = {
      run,
      iteration,
      ...(votes !== undefined && { votes: `${votes[0].toUpperCase()}${votes.slice(1)}.` }),
      doubts: doubtsOf(scan, plan, await this.spacing()),
      agreement: networks.length < 2 ? null : { transverse: along('transverse'), coronal: along('coronal') },
    };
    const labels = masks.ensemble as Uint8Array<ArrayBuffer>;
    await this.store.files.copy(new Blob([labels]), maskFile(name));
    await this.store.files.write(maskFactsFile(name), JSON.stringify(facts));
    await this.store.saveCase(name, () => ({ masked: { run, iteration } }));
    return kept(labels, facts);
  }

  async mask(name: string): Promise<CaseMask | null> {
    this.store.caseOf(name);
    const facts = await this.facts(name);
    return facts && kept(await this.store.files.read(maskFile(name)), facts);
  }

  private async facts(name: string): Promise<Facts | null> {
    const file = maskFactsFile(name);
    if (!this.store.caseOf(name).masked || !(await this.store.files.has(file))) return null;
    return parseJson(await this.store.files.read(file), file) as Facts; // nobody but `predict` writes it
  }

  async propose(name: string, plane: SlicePlane): Promise<{ index: number; agreement: number | null } | null> {
    const record = this.store.caseOf(name),
      facts = await this.facts(name),
      newest = facts?.run === this.store.record.runs.length; // networks of an earlier run did not know what was drawn since
    const agreement = newest ? facts?.agreement?.[plane] : undefined;
    const index = proposed(rasGrid(record).size[AXIS[plane]], record[plane], agreement);
    return index === null ? null : { index, agreement: agreement?.[index] ?? null };
  }
}

const kept = (labels: Uint8Array, { run, iteration, agreement, votes, doubts = [] }: Facts): CaseMask => ({
  labels,
  doubts,
  ...(votes !== undefined && { votes }),
  agreement: agreement && { transverse: Float32Array.from(agreement.transverse), coronal: Float32Array.from(agreement.coronal) },
  run,
  iteration,
});
