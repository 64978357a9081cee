// SPDX-License-Identifier: MIT
// Op calls as a list of kernel calls, for a pass and buffers of the caller's: what `lower` of each op says, no second copy of its grids.
import { callable, expectArguments, fields, instance, listOf, maybe, type Kind } from '../check.ts';
import { VoxelgradError } from '../errors.ts';
import { currentDevice, Device } from '../gpu/device.ts';
import { kernel, type Binding } from '../gpu/embed.ts';
import type { KernelDef } from '../gpu/kernel.ts';
import { byteSize, expectSpec, type Spec } from './dtype.ts';
import { lowerCall, type Dispatch } from './lower.ts';
import { liveNodes, rootOf } from './schedule.ts';
import { Tensor } from './tensor.ts';
import { record } from './trace.ts';

/** A buffer of a plan: the caller's inputs and outputs in their order, memory for the plan alone, and tensors that the ops hold. */
export interface Place {
  readonly role: 'input' | 'output' | 'scratch' | 'constant';
  readonly index: number;
}

/** One kernel call: `kernel` is its name in `voxelgrad/kernels`, the rest what `compile` and `encode` there take. */
export interface PlannedCall {
  readonly kernel: string;
  readonly spec: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, number>>;
  readonly params: Readonly<Record<string, number>>;
  readonly grid: readonly [number, number, number];
  readonly bindings: Readonly<Record<string, Place>>;
}

/** Plain data: what a build step plans, an app that carries kernels alone can run. */
export interface Plan {
  readonly calls: readonly PlannedCall[];
  readonly inputs: readonly Spec[];
  readonly outputs: readonly Spec[];
  /** Bytes of each buffer that must be there besides inputs and outputs. */
  readonly scratch: readonly number[];
}

export interface Lifted extends Disposable {
  readonly plan: Plan;
  /** Adds the kernel calls to the caller's pass. Buffers have the bytes of their specs at least, and usage `STORAGE`. */
  encode(pass: GPUComputePassEncoder, inputs: readonly Binding[], outputs: readonly Binding[]): void;
  /** Frees scratch memory and constants; buffers of the caller's stay. */
  dispose(): void;
}

export interface LiftOptions {
  /** Where it will run; `openDevice({ gpuDevice })` makes one of a device of yours. The current one unless given. */
  readonly device?: Device;
}

type Step = (...inputs: Tensor[]) => Tensor | readonly Tensor[];
const aSpec: Kind = (where, what, s) => {
  fields({}, true)(where, what, s);
  expectSpec(where, s as Spec);
};
const ARGUMENTS = {
  step: callable,
  specs: listOf(aSpec),
  options: fields({ device: maybe(instance('a device of openDevice()', Device)) }),
};

/** What is planned, with what only this process can hold. */
interface Planned {
  readonly plan: Plan;
  readonly defs: readonly KernelDef[];
  readonly constants: readonly Tensor[];
}

/**
 * The kernel calls of `step` for inputs of these shapes and dtypes: names of kernels, specs, overrides, params, grids, bindings and bytes
 * of scratch memory, as plain data, for an adapter like the device's. Nothing runs.
 * @throws ShapeError, DTypeError as the ops do; VoxelgradError USAGE where the step makes tensors of its own or returns an input
 */
export function plan(step: Step, specs: readonly Spec[], options: LiftOptions = {}): Plan {
  expectArguments('plan', ARGUMENTS, [step, specs, options]);
  const { plan: made, constants } = planned(step, specs, options.device ?? currentDevice());
  for (const t of constants) t.dispose();
  if (constants.length > 0)
    throw new VoxelgradError(
      'USAGE',
      `plan: the ops hold ${constants.length} tensors, which plain data cannot.`,
      'Use lift(), or pass them as inputs.',
    );
  return made;
}

/** Ops as a block of kernel calls in a pass of the caller's, compiled. @throws what `plan` throws, by which it plans; KernelCompileError */
export async function lift(step: Step, specs: readonly Spec[], options: LiftOptions = {}): Promise<Lifted> {
  expectArguments('lift', ARGUMENTS, [step, specs, options]);
  const device = options.device ?? currentDevice();
  const { plan: made, defs, constants } = planned(step, specs, device);
  const compiled = await Promise.all(made.calls.map(({ spec, overrides }, i) => kernel(defs[i]).compile(device.gpu, { spec, overrides })));
  const scratch = made.scratch.map((size) => device.gpu.createBuffer({ label: 'lift scratch', size, usage: 0x80 })); // STORAGE
  const held = constants.map(({ storage: { buffer, offset, bytes } }): Binding => ({ buffer, offset, size: bytes }));
  const dispose = (): void => {
    for (const buffer of scratch) buffer.destroy();
    for (const t of constants) t.dispose();
  };
  return {
    plan: made,
    encode(pass, inputs, outputs) {
      const buffers = { input: inputs, output: outputs, scratch, constant: held };
      for (const [role, wanted] of [['input', made.inputs] as const, ['output', made.outputs] as const])
        if (buffers[role].length !== wanted.length)
          throw new VoxelgradError('USAGE', `lift: got ${buffers[role].length} ${role} buffers, expected ${wanted.length}.`);
      made.calls.forEach(({ bindings, params, grid }, i) => {
        const bound = Object.fromEntries(Object.entries(bindings).map(([name, { role, index }]) => [name, buffers[role][index]]));
        compiled[i].encode(pass, bound, params, grid);
      });
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}

function planned(step: Step, specs: readonly Spec[], device: Device): Planned {
  const inputs = specs.map((s) => new Tensor(s, null));
  const { trace, result } = record(() => step(...inputs), device);
  const outputs: Tensor[] = [result].flat();
  const places = new Map<Tensor, Place>(inputs.map((t, index) => [t, { role: 'input', index }]));
  const constants: Tensor[] = [];
  const scratch: number[] = [];
  const calls: PlannedCall[] = [];
  const defs: KernelDef[] = [];
  try {
    if (trace.scalars.length > 0)
      throw new VoxelgradError('USAGE', 'plan: the step reads values that the host computes anew for every run.');
    outputs.forEach((t, index) => {
      const root = rootOf(t);
      if (!root.node || places.has(root))
        throw new VoxelgradError(
          'USAGE',
          `plan: output ${index} is no result of the step, or is another output.`,
          'Return what the ops made.',
        );
      places.set(root, { role: 'output', index });
    });
    const extra = (bytes: number): Place => ({ role: 'scratch', index: scratch.push(bytes) - 1 });
    const placeOf = (t: Tensor): Place => {
      const root = rootOf(t);
      let place = places.get(root);
      if (!place) places.set(root, (place = root.node ? extra(byteSize(root)) : { role: 'constant', index: constants.push(root) - 1 }));
      return place;
    };
    for (const node of liveNodes(trace.nodes, outputs, new Map())) {
      if (node.op.view) continue;
      const { dispatches, scratch: temporary } = lowerCall(node.op, node.inputs, node.outputs, node.attrs, device.caps);
      const own = temporary.map((s) => extra(byteSize(s)));
      for (const d of dispatches) {
        calls.push(
          callOf(d, ({ role, index }) =>
            role === 'scratch' ? own[index] : placeOf(role === 'input' ? node.inputs[index]! : node.outputs[index]),
          ),
        );
        defs.push(d.def);
      }
    }
  } catch (e) {
    trace.release();
    throw e;
  }
  trace.release(new Set(constants));
  const plain = ({ shape, dtype }: Spec): Spec => ({ shape: [...shape], dtype });
  return { plan: { calls, inputs: specs.map(plain), outputs: outputs.map(plain), scratch }, defs, constants };
}

function callOf(
  { def, spec, overrides, params, grid, bindings }: Dispatch,
  placeOf: (ref: Dispatch['bindings'][string]) => Place,
): PlannedCall {
  const used = def.bindings.filter((b) => b.kind !== 'uniform').map((b) => [b.name, placeOf(bindings[b.name])] as const);
  return { kernel: def.entry, spec, overrides, params, grid, bindings: Object.fromEntries(used) };
}
