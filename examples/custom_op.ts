// SPDX-License-Identifier: MIT
// An op of one's own with its own WGSL and gradient: snake(x) = x + sin^2(x) (Ziyin et al. 2020). It is traced, planned and differentiated as any other.
import { backward, compile, defineOp, dispatch, expectDType, grid1d, openDevice, spec, sum, type KernelDef, type Tensor } from 'voxelgrad';

// One lane an element; past 65,535 workgroups grid1d folds them over y. Binding 0 is always `params`.
const wgsl = /* wgsl */ `
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;       // backward: the gradient of y
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn index(wid: vec3<u32>, nwg: vec3<u32>, lane: u32) -> u32 { return (wid.x + wid.y * nwg.x) * 64u + lane; }

@compute @workgroup_size(64)
fn snake(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = index(wid, nwg, lane);
  if (i < params.n) { let s = sin(x[i]); y[i] = x[i] + s * s; }
}

@compute @workgroup_size(64)
fn snake_dx(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = index(wid, nwg, lane);
  if (i < params.n) { y[i] = g[i] * (1.0 + sin(2.0 * x[i])); }
}`;

const params = { size: 4, fields: { n: { offset: 0, type: 'u32' } } } as const;
const [uniform, xIn, gIn, yOut] = [['params', 'uniform', 'Params'], ['x', 'read', 'array<f32>'], ['g', 'read', 'array<f32>'], ['y', 'read_write', 'array<f32>']]
  .map(([name, kind, type], binding) => ({ name, binding, kind, type }) as KernelDef['bindings'][number]);
const file = { file: 'snake.wgsl', wgsl, params, spec: {}, overrides: {} };
const forward: KernelDef<'x' | 'y', 'n', never, never> = { ...file, entry: 'snake', bindings: [uniform, xIn, yOut] }; // each names what its entry point uses
const backwards: KernelDef<'x' | 'g' | 'y', 'n', never, never> = { ...file, entry: 'snake_dx', bindings: [uniform, xIn, gIn, yOut] };
const elements = ({ shape }: { shape: readonly number[] }): number => shape.reduce((a, b) => a * b, 1);

const snakeDx = defineOp({
  name: 'snake_dx',
  call: (x: Tensor, g: Tensor) => ({ inputs: [x, g], attrs: {} }),
  infer: ([x, g]) => ({ shape: x.shape, dtype: expectDType('snakeDx', [x, g], 'f32') }),
  lower: ({ inputs: [x, g], outputs: [y] }) => [dispatch(backwards, { x, g, y }, { n: elements(y) }, grid1d(Math.ceil(elements(y) / 64)))],
});
const snake = defineOp({
  name: 'snake',
  call: (x: Tensor) => ({ inputs: [x], attrs: {} }),
  infer: ([x]) => ({ shape: x.shape, dtype: expectDType('snake', [x], 'f32') }),
  lower: ({ inputs: [x], outputs: [y] }) => [dispatch(forward, { x, y }, { n: elements(y) }, grid1d(Math.ceil(elements(y) / 64)))],
  vjp: ({ inputs: [x], grads: [g] }) => [() => snakeDx(x, g)],
});

using _device = await openDevice();
const program = await compile(({ x }) => { const y = snake(x); return { y, dx: backward(sum(y), [x]).get(x)! }; }, { x: spec([1000]) });
const x = Float32Array.from({ length: 1000 }, (_, i) => i / 100 - 5);
const { y, dx } = program.run({ x });
const worst = (got: ArrayLike<number>, of: (v: number) => number): number => Math.max(...x.map((v, i) => Math.abs(got[i] - of(v))));
console.log(`value within ${worst(await y.data(), (v) => v + Math.sin(v) ** 2).toExponential(1)}, gradient within ${worst(await dx.data(), (v) => 1 + Math.sin(2 * v)).toExponential(1)}`);
