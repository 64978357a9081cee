// SPDX-License-Identifier: MIT
// Modules: parameters by name. Property names are PyTorch's, so the path of a parameter is its state-dict name.
import { expectArguments, fields, flag, instance, integer, maybe, shown, text } from '../check.ts';
import { StateDictError } from '../errors.ts';
import { isHostOf } from '../engine/dtype.ts';
import { Parameter } from './parameter.ts';
import { named } from '../engine/trace.ts';

/** Values of one state-dict entry in PyTorch's layout. */
export interface StateEntry {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
/** What stateDict() gives and `encodeSafetensors` takes. */
export type StateDict = Map<string, StateEntry>;
/**
 * What loadStateDict() takes: entries of `parseSafetensors` and `parsePth` too. Values that are not f32 are refused when they are loaded.
 */
export type LoadedEntry = { readonly shape: readonly number[]; readonly data: ArrayBufferView & { readonly length: number } };

/**
 * What networks are made of: a class whose fields are parameters and modules, lists of them too, named as in PyTorch. `forward` is yours.
 * Batch statistics and dropout follow `train()` and `eval()` of the root; a program keeps the mode in which it was compiled.
 */
export class Module {
  /** Batch statistics and dropout in training, running statistics otherwise. Part of the trace: compile one program for each. */
  training = true;
  /** Where this module sits below the root; labels its ops. Set by `assignNames()`. */
  path = '';

  /** Parameters and sub-modules among the fields, lists among them entered. */
  private *members(): Generator<[string, Module | Parameter]> {
    const belongs = (x: unknown): x is Module | Parameter => x instanceof Module || x instanceof Parameter;
    for (const [key, value] of Object.entries(this)) {
      if (belongs(value)) yield [key, value];
      else if (Array.isArray(value)) for (const [i, item] of value.entries()) if (belongs(item)) yield [`${key}.${i}`, item];
    }
  }

  /** Every name that a parameter or buffer has, as in a state dict: one that is shared has several. */
  private *namedState(prefix = '', above: readonly Module[] = []): Generator<[string, Parameter]> {
    for (const [key, value] of this.members()) {
      if (value instanceof Parameter) yield [prefix + key, value];
      else if (value !== this && !above.includes(value)) yield* value.namedState(`${prefix}${key}.`, [...above, this]);
    }
  }

  /** Own parameters and buffers, then those of sub-modules, by dotted name; a shared one once, by the first. */
  *namedParameters(prefix = ''): Generator<[string, Parameter]> {
    const met = new Set<Parameter>();
    for (const [name, p] of this.namedState(prefix)) {
      if (met.has(p)) continue;
      met.add(p);
      yield [name, p];
    }
  }

  /** This module and all below it, each once. */
  *modules(met = new Set<Module>()): Generator<Module> {
    if (met.has(this)) return;
    met.add(this);
    yield this;
    for (const [, value] of this.members()) if (value instanceof Module) yield* value.modules(met);
  }

  /** Modules among the fields, with their names: those directly below. */
  *children(): Generator<[string, Module]> {
    for (const [key, value] of this.members()) if (value instanceof Module) yield [key, value];
  }

  /** Trainable parameters, in definition order. */
  parameters(): Parameter[] {
    return [...this.namedParameters()].map(([, p]) => p).filter((p) => p.trainable);
  }

  /** Count of trainable numbers, without padding. */
  countParameters(): number {
    return this.parameters().reduce((n, p) => n + p.size, 0);
  }

  /** Disposes what eager `backward()` has gathered in `grad` of each parameter. */
  zeroGrad(): void {
    for (const p of this.parameters()) p.zeroGrad();
  }

  /** Batch statistics and dropout from here on, in all modules below too; `train(false)` is `eval()`. Compiled programs stay. */
  train(mode = true): this {
    for (const m of this.modules()) m.training = mode;
    return this;
  }

  /** Running statistics and no dropout from here on, in all modules below too. */
  eval(): this {
    return this.train(false);
  }

  /**
   * Names every parameter and module below this root and draws initial values: entry i of the sorted names takes op id i
   * of the init stream, so values depend on the seed and the names alone.
   */
  initialise(seed: number, prefix = ''): this {
    expectArguments('initialise', { seed: integer(0, 2 ** 32 - 1), prefix: text }, [seed, prefix]);
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

  /** Names every parameter and module below this root; a shared one by where it comes first. */
  assignNames(path: string, met = new Set<Module | Parameter>()): void {
    met.add(this);
    this.path = path.replace(/\.$/, '');
    for (const [key, value] of this.members()) {
      if (met.has(value)) continue;
      met.add(value);
      if (value instanceof Parameter) value.name = path + key;
      else value.assignNames(`${path}${key}.`, met);
    }
  }

  /** Runs `f` with this module's path on the labels of its ops. */
  protected scoped<T>(f: () => T): T {
    return this.path ? named(this.path, f) : f();
  }

  /** Names and values in PyTorch's layout, running statistics included; a shared one under each of its names. */
  async stateDict(): Promise<StateDict> {
    const out: StateDict = new Map();
    for (const [name, p] of this.namedState()) out.set(name, { shape: p.torchShape, data: await p.torchValues() });
    return out;
  }

  /**
   * Loads values by name.
   * @throws StateDictError listing missing, unexpected and misshapen entries, and values of a shared one that differ; nothing is loaded
   * then.
   */
  loadStateDict(dict: ReadonlyMap<string, LoadedEntry>, options: { strict?: boolean } = {}): void {
    expectArguments('loadStateDict', { dict: instance('a map of entries', Map), options: fields({ strict: maybe(flag) }) }, [
      dict,
      options,
    ]);
    const own = new Map(this.namedState());
    const missing = [...own.keys()].filter((k) => !dict.has(k));
    const unexpected = [...dict.keys()].filter((k) => !own.has(k) && !k.endsWith('num_batches_tracked'));
    const first = new Map<Parameter, string>();
    const misshapen = [...own].flatMap(([k, p]) => {
      const got = dict.get(k);
      if (!got) return [];
      const other = first.get(p);
      first.set(p, other ?? k);
      if (got.shape.join() !== p.torchShape.join()) return [`${k} has shape [${got.shape}], expected [${p.torchShape}]`];
      if (!isHostOf('f32', got.data) || got.data.length !== p.size)
        return [`${k} has ${got.data.length} values (${shown(got.data)}), expected a Float32Array of ${p.size}`];
      return other !== undefined && (got.data as Float32Array).some((v, i) => !Object.is(v, (dict.get(other)!.data as Float32Array)[i]))
        ? [`${k} has other values than ${other}, expected the same, for they are one parameter`]
        : [];
    });
    const problems = [
      ...(options.strict === false ? [] : [...missing.map((k) => `${k} is missing`), ...unexpected.map((k) => `${k} is unexpected`)]),
      ...misshapen,
    ];
    if (problems.length > 0) {
      const shown = problems.slice(0, 8).join('; ');
      throw new StateDictError(
        `loadStateDict: ${shown}${problems.length > 8 ? `; and ${problems.length - 8} more` : ''}.`,
        'Load with { strict: false } to take what fits by name.',
      );
    }
    for (const [k, p] of own) {
      const entry = dict.get(k);
      if (entry) p.setTorchValues(entry.data as Float32Array);
    }
  }
}
