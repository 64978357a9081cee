// SPDX-License-Identifier: MIT
// Modules: parameters by name. Property names are PyTorch's, so the path of a parameter is its state-dict name.
import { StateDictError } from '../errors.ts';
import { Parameter } from './parameter.ts';
import { named } from '../engine/trace.ts';

/** Values of one state-dict entry in PyTorch's layout. */
export interface StateEntry { readonly shape: readonly number[]; readonly data: Float32Array }
export type StateDict = Map<string, StateEntry>;

export class Module {
  /** Batch statistics and dropout in training, running statistics otherwise. Part of the trace: compile one program for each. */
  training = true;
  /** Where this module sits below the root; labels its ops. Set by `assignNames()`. */
  path = '';

  /** Own parameters and buffers, then those of sub-modules, by dotted name. */
  *namedParameters(prefix = ''): Generator<[string, Parameter]> {
    for (const [key, value] of Object.entries(this)) {
      if (value instanceof Parameter) yield [prefix + key, value];
      else if (value instanceof Module) yield* value.namedParameters(`${prefix}${key}.`);
      else if (Array.isArray(value)) {
        for (const [i, item] of value.entries()) {
          if (item instanceof Module) yield* item.namedParameters(`${prefix}${key}.${i}.`);
          else if (item instanceof Parameter) yield [`${prefix}${key}.${i}`, item];
        }
      }
    }
  }

  /** This module and all below it. */
  *modules(): Generator<Module> {
    yield this;
    for (const value of Object.values(this)) {
      if (value instanceof Module) yield* value.modules();
      else if (Array.isArray(value)) for (const item of value) if (item instanceof Module) yield* item.modules();
    }
  }

  /** Trainable parameters, in definition order. */
  parameters(): Parameter[] {
    return [...this.namedParameters()].map(([, p]) => p).filter((p) => p.trainable);
  }

  /** Count of trainable numbers, without padding. */
  countParameters(): number {
    return this.parameters().reduce((n, p) => n + p.size, 0);
  }

  train(mode = true): this {
    for (const m of this.modules()) m.training = mode;
    return this;
  }

  eval(): this { return this.train(false); }

  /**
   * Names every parameter and module below this root and draws initial values: entry i of the sorted names takes op id i
   * of the init stream, so values depend on the seed and the names alone.
   */
  initialise(seed: number, prefix = ''): this {
    this.assignNames(prefix);
    const sorted = [...this.namedParameters(prefix)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    sorted.forEach(([, p], i) => p.draw(seed, i));
    return this;
  }

  /** Zero values without memory of their own, for tracing alone. */
  blank(): this {
    for (const [, p] of this.namedParameters()) p.blank();
    return this;
  }

  /** Names every parameter and module below this root. */
  assignNames(path: string): void {
    this.path = path.replace(/\.$/, '');
    for (const [key, value] of Object.entries(this)) {
      if (value instanceof Parameter) value.name = path + key;
      else if (value instanceof Module) value.assignNames(`${path}${key}.`);
      else if (Array.isArray(value)) {
        value.forEach((item, i) => {
          if (item instanceof Module) item.assignNames(`${path}${key}.${i}.`);
          else if (item instanceof Parameter) item.name = `${path}${key}.${i}`;
        });
      }
    }
  }

  /** Runs `f` with this module's path on the labels of its ops. */
  protected scoped<T>(f: () => T): T {
    return this.path ? named(this.path, f) : f();
  }

  /** Names and values in PyTorch's layout, running statistics included. */
  async stateDict(): Promise<StateDict> {
    const out: StateDict = new Map();
    for (const [name, p] of this.namedParameters()) out.set(name, { shape: p.torchShape, data: await p.torchValues() });
    return out;
  }

  /**
   * Loads values by name.
   * @throws StateDictError listing missing, unexpected and misshapen entries; nothing is loaded then.
   */
  loadStateDict(dict: ReadonlyMap<string, StateEntry>, options: { strict?: boolean } = {}): void {
    const own = new Map(this.namedParameters());
    const missing = [...own.keys()].filter((k) => !dict.has(k));
    const unexpected = [...dict.keys()].filter((k) => !own.has(k) && !k.endsWith('num_batches_tracked'));
    const misshapen = [...own].flatMap(([k, p]) => {
      const got = dict.get(k)?.shape;
      return got && got.join() !== p.torchShape.join() ? [`${k} has shape [${got}], expected [${p.torchShape}]`] : [];
    });
    const problems = [
      ...(options.strict === false ? [] : [...missing.map((k) => `${k} is missing`), ...unexpected.map((k) => `${k} is unexpected`)]), ...misshapen,
    ];
    if (problems.length > 0) {
      const shown = problems.slice(0, 8).join('; ');
      throw new StateDictError(`loadStateDict: ${shown}${problems.length > 8 ? `; and ${problems.length - 8} more` : ''}.`, 'Load with { strict: false } to take what fits by name.');
    }
    for (const [k, p] of own) {
      const entry = dict.get(k);
      if (entry) p.setTorchValues(entry.data);
    }
  }
}
