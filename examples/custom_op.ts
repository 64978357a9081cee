// SPDX-License-Identifier: MIT
// An op of one's own with its own WGSL and gradient: snake(x) = x + sin^2(x) (Ziyin et al. 2020), traced, planned and differentiated.
import { backward, compile, defineOp, dispatch, expectDType, grid1d, openDevice, spec, sum, type KernelDef, type Tensor } from 'voxelgrad';

// One lane an element; past 65,535 workgroups grid1d folds them over y. Binding 0 is always `params`.
const wgsl = /* wgsl */ `
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;       // backward: the gradient of y
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn snake(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i < params.n) { let s = sin(x[i]); y[i] = x[i] + s * s; }
}

@compute @workgroup_size(64)
fn snake_dx(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i < params.n) { y[i] = g[i] * (1.0 + sin(2.0 * x[i])); }
}`;

const params = { size: 4, fields: { n: { offset: 0, type: 'u32' } } } as const;
const file = { file: 'snake.wgsl', wgsl, params, spec: {}, overrides: {} };
const uniform = { name: 'params', binding: 0, kind: 'uniform', type: 'Params' } as const;
const buffer = (binding: number, name: string, kind: 'read' | 'read_write') => ({ name, binding, kind, type: 'array<f32>' });
const [xIn, gIn, yOut] = [buffer(1, 'x', 'read'), buffer(2, 'g', 'read'), buffer(3, 'y', 'read_write')];
// Each names what its entry point uses.
const forward: KernelDef<'x' | 'y', 'n', never, never> = { ...file, entry: 'snake', bindings: [uniform, xIn, yOut] };
const backwards: KernelDef<'x' | 'g' | 'y', 'n', never, never> = { ...file, entry: 'snake_dx', bindings: [uniform, xIn, gIn, yOut] };

const count = ({ shape }: { shape: readonly number[] }): number => shape.reduce((a, b) => a * b, 1);
const snakeDx = defineOp({
  name: 'snake_dx',
  call: (x: Tensor, g: Tensor) => ({ inputs: [x, g], attrs: {} }),
  infer: ([x, g]) => ({ shape: x.shape, dtype: expectDType('snakeDx', [x, g], 'f32') }),
  lower: ({ inputs: [x, g], outputs: [y] }) => [dispatch(backwards, { x, g, y }, { n: count(y) }, grid1d(Math.ceil(count(y) / 64)))],
});
const snake = defineOp({
  name: 'snake',
  call: (x: Tensor) => ({ inputs: [x], attrs: {} }),
  infer: ([x]) => ({ shape: x.shape, dtype: expectDType('snake', [x], 'f32') }),
  lower: ({ inputs: [x], outputs: [y] }) => [dispatch(forward, { x, y }, { n: count(y) }, grid1d(Math.ceil(count(y) / 64)))],
  vjp: ({ inputs: [x], grads: [g] }) => [() => snakeDx(x, g)],
});

using _device = await openDevice();
const step = ({ x }: { x: Tensor }) => ({ y: snake(x), dx: backward(sum(snake(x)), [x]).get(x)! });
const program = await compile(step, { x: spec([1000]) });
const x = Float32Array.from({ length: 1000 }, (_, i) => i / 100 - 5);
const { y, dx } = program.run({ x });
const [values, slopes] = [await y.data(), await dx.data()];
const worst = (error: (v: number, i: number) => number): string => Math.max(...x.map((v, i) => Math.abs(error(v, i)))).toExponential(1);
const [value, gradient] = [worst((v, i) => values[i] - v - Math.sin(v) ** 2), worst((v, i) => slopes[i] - 1 - Math.sin(2 * v))];
console.log(`value within ${value}, gradient within ${gradient}`);
