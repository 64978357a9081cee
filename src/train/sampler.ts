// SPDX-License-Identifier: MIT
// What iteration `it` sees: a case, a crop, an augmentation and what the method draws from it, each a function of (seed, iteration), so
// that a resumed run goes on exactly where it was (specification 5.3, 7.4).
import type { Triple } from '../axes.ts';
import { drawAugmentation, applyAugmentation } from '../data/augment.ts';
import { DataError } from '../errors.ts';
import { Philox } from '../random/philox.ts';
import { cutSample, foregroundVoxels, noduleStart, patchStart } from '../data/roi.ts';
import type { PreparedCase, Sample } from '../data/sample.ts';
import { methodOf } from '../methods/methods.ts';
import type { Plan } from '../methods/plan.ts';

/** Op of the order of cases without annotation; planes have those after 0. */
const UNANNOTATED = 3;

export class Sampler<F = any> {
  private readonly plan: Plan;
  private readonly load: (name: string) => Promise<PreparedCase>;
  /** Cases to draw from in turn, each list in an order of its own. */
  private readonly turns: readonly (readonly string[])[];
  private readonly names: readonly string[];
  private readonly foreground = new Map<string, Uint32Array[]>();

  /** `load` gives a prepared case by name; it may cache. `bare`: cases without annotation. */
  constructor(plan: Plan, names: readonly string[], load: (name: string) => Promise<PreparedCase>, bare: ReadonlySet<string> = new Set()) {
    this.plan = plan;
    this.load = load;
    this.names = names;
    const known = names.filter((name) => !bare.has(name));
    // A volume without annotation teaches only those who learn from each other: they see one in every two, and never in the
    // iterations whose measures are read, of one volume each: the tenth, the twentieth ...
    const learns = methodOf(plan).learnsUnannotated?.(plan) ?? false;
    this.turns = known.length === names.length ? [names] : learns ? [names.filter((name) => bare.has(name)), known] : [known];
    if (known.length === 0)
      throw new DataError(
        'train: no training case of this fold is annotated, got 0, expected at least one.',
        'Annotate cases of it, or hold out another fold.',
      );
  }

  /** Name of the case of the n-th sample: every epoch is a new permutation. `all`: the annotated ones and the others alike. */
  caseOf(n: number, { all = false }: { readonly all?: boolean } = {}): string {
    const turns = all ? [this.names] : this.turns;
    const turn = n % turns.length;
    const names = turns[turn];
    const at = Math.floor(n / turns.length);
    const order = new Philox(this.plan.training.seed, 'order').permutation(
      Math.floor(at / names.length),
      turns.length > 1 && turn === 0 ? UNANNOTATED : 0,
      names.length,
    );
    return names[order[at % names.length]];
  }

  /** The volumes of one iteration; of one among several processes, its part of them. `all`: as `caseOf` has it. */
  iteration(
    it: number,
    { rank, ranks }: { readonly rank: number; readonly ranks: number } = { rank: 0, ranks: 1 },
    from: { readonly all?: boolean } = {},
  ): Promise<F[]> {
    const { batch } = this.plan.training;
    return Promise.all(Array.from({ length: batch }, (_, b) => this.sample((it * ranks + rank) * batch + b, from)));
  }

  async sample(n: number, from: { readonly all?: boolean } = {}): Promise<F> {
    const { plan } = this;
    const { prepared, cut } = await this.cut(n, from);
    const sample = applyAugmentation(cut, drawAugmentation(plan.training.seed, n, 0, cut.size, plan.augmentation));
    return methodOf(plan).feed(plan, { sample, unlabelled: prepared.unlabelled, n });
  }

  /** The region of the n-th sample as the scan has it, as if it were a case. */
  async region(n: number): Promise<PreparedCase> {
    const {
      prepared,
      cut: { size, ...voxels },
    } = await this.cut(n);
    const grid = { ...prepared.grid, size };
    return { ...prepared, ...voxels, grid, native: grid, stored: grid };
  }

  private async cut(n: number, from: { readonly all?: boolean } = {}): Promise<{ prepared: PreparedCase; cut: Sample }> {
    const { data, training } = this.plan;
    const prepared = await this.load(this.caseOf(n, from));
    const roi = [...data.roi] as Triple;
    const draw = new Philox(training.seed, 'augment').cursor(n, 1);
    const start =
      data.sampling === 'centre'
        ? noduleStart(prepared, roi, draw, [...data.jitter] as Triple)
        : patchStart(prepared.grid.size, roi, this.foregroundOf(prepared), draw, data.foregroundShare);
    return { prepared, cut: cutSample(prepared, start, roi) };
  }

  private foregroundOf(prepared: PreparedCase): Uint32Array[] {
    let lists = this.foreground.get(prepared.name);
    if (!lists) {
      lists = foregroundVoxels(prepared, this.plan.classes.length);
      this.foreground.set(prepared.name, lists);
    }
    return lists;
  }
}
