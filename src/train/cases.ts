// SPDX-License-Identifier: MIT
// Cases of a data set as a plan wants them: read, annotation simulated if asked for, resampled, normalised, and kept in memory
// while they fit.
import type { Triple } from '../axes.ts';
import { loadCase, type Case, type Dataset } from '../data/dataset.ts';
import { prepareCase, type IntensityWindow, type PreparedCase } from '../data/sample.ts';
import { DataError } from '../errors.ts';
import type { Plan } from '../methods/plan.ts';
import { annotated } from './annotated.ts';

/** Bytes of prepared cases kept in memory. */
const CACHE_BYTES = 2 ** 31;

export function intensityWindow({ window: [low, high], normalise }: Plan['data']): IntensityWindow {
  return { low, high, outLow: normalise === '-1..1' ? -1 : 0, outHigh: 1, zScore: normalise === 'z-score' };
}

export class CaseStore {
  private readonly plan: Plan;
  private readonly dataset: Dataset;
  private readonly bare: ReadonlySet<string>;
  private readonly byName: ReadonlyMap<string, Case>;
  private readonly cache = new Map<string, PreparedCase>();
  private bytes = 0;

  /** `bare`: cases that nobody annotated. */
  constructor(plan: Plan, dataset: Dataset, bare: ReadonlySet<string>) {
    this.plan = plan;
    this.dataset = dataset;
    this.bare = bare;
    this.byName = new Map([...dataset.training, ...dataset.test].map((c) => [c.name, c]));
  }

  /** The least recently used cases leave when memory is full. */
  async load(name: string): Promise<PreparedCase> {
    const cached = this.cache.get(name);
    if (cached) {
      this.cache.delete(name);
      this.cache.set(name, cached);
      return cached;
    }
    const scan = this.byName.get(name);
    if (!scan) throw new DataError(`${this.dataset.folder}: no case named "${name}".`);
    const { plan } = this;
    const loaded = await loadCase(this.dataset, scan);
    const weight = annotated(plan, this.bare, loaded);
    const prepared = prepareCase(
      { ...loaded, weight },
      plan.data.spacing === 'native' ? null : ([...plan.data.spacing] as Triple),
      intensityWindow(plan.data),
    );
    const bytes = prepared.image.byteLength * 1.5;
    for (const [old, { image }] of this.cache) {
      if (this.bytes + bytes <= CACHE_BYTES) break;
      this.cache.delete(old);
      this.bytes -= image.byteLength * 1.5;
    }
    this.cache.set(name, prepared);
    this.bytes += bytes;
    return prepared;
  }
}
