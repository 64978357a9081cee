// SPDX-License-Identifier: MIT
// What the machine offers: the adapter, what it can do, what is missing and how to get it, and whether it computes rightly.
import { adviceFor, system } from '../../scripts/setup/advice.mjs';
import { tensor } from '../engine/tensor.ts';
import { DeviceLostError, LimitError } from '../errors.ts';
import { openDevice, type Device } from '../gpu/device.ts';
import { mul } from '../ops/pointwise.ts';
import { sum } from '../ops/reduce.ts';
import type { Outcome, Verb } from './verb.ts';
import { DEVICE, takeDevice } from './which_gpu.ts';

interface Missing {
  readonly what: string;
  readonly remedy: string;
}

interface Findings {
  readonly versions: { readonly node: string; readonly platform: string };
  readonly adapter: {
    readonly name: string;
    readonly vendor: string;
    readonly driver: string;
    readonly backend: string;
    readonly software: boolean;
  } | null;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly kernel: { readonly ok: boolean; readonly detail: string };
  readonly missing: readonly Missing[];
}

/** Dawn's own choice where the caller forces none. */
const BACKEND: Readonly<Record<string, string>> = { darwin: 'Metal', win32: 'Direct3D 12' };

/** A dot product of small integers: exact in f32 in any order, so the answer is right or wrong. */
async function compute(): Promise<{ ok: boolean; detail: string }> {
  const n = 4099; // more than one workgroup, and no multiple of any subgroup
  const a = Float32Array.from({ length: n }, (_, i) => (i % 7) - 3);
  const b = Float32Array.from({ length: n }, (_, i) => (i % 5) + 1);
  const expected = a.reduce((s, v, i) => s + v * b[i], 0);
  using x = tensor(a);
  using y = tensor(b);
  using product = mul(x, y);
  using total = sum(product);
  const got = await total.item();
  return { ok: got === expected, detail: `dot product of ${n} numbers: got ${got}, expected ${expected}` };
}

async function missingOptions({ caps }: Device): Promise<Missing[]> {
  const missing: Missing[] = [];
  if (caps.software)
    missing.push({
      what: 'a GPU: this adapter computes on the processor',
      remedy: "Fine for tests and small jobs. With a GPU, install its vendor's Vulkan driver.",
    });
  if (!caps.f16)
    missing.push({
      what: 'shader-f16: tensors of dtype f16',
      remedy: 'A newer graphics driver. Plans with training.precision "f32" need none.',
    });
  if (!caps.timestamps) missing.push({ what: 'timestamp-query: kernel times in profile()', remedy: 'A newer graphics driver.' });
  if (!caps.subgroupMatrix && !caps.software)
    missing.push({ what: 'subgroup matrices: tensor cores', remedy: 'A GPU and driver with VK_KHR_cooperative_matrix.' });
  return missing;
}

async function examine(): Promise<Findings> {
  const versions = { node: process.versions.node, platform: `${process.platform}-${process.arch}` };
  let device: Device;
  try {
    device = await openDevice();
  } catch (error) {
    if (error instanceof LimitError) {
      // there is an adapter, and it will not do
      return {
        versions,
        adapter: null,
        features: [],
        limits: {},
        kernel: { ok: false, detail: `not run: ${error.message}` },
        missing: [{ what: 'subgroups: a feature that kernels need', remedy: error.hint ?? '' }],
      };
    }
    if (!(error instanceof DeviceLostError)) throw error;
    const missing = [{ what: 'a WebGPU adapter', remedy: adviceFor(system()) }];
    return { versions, adapter: null, features: [], limits: {}, kernel: { ok: false, detail: 'not run: no adapter' }, missing };
  }
  using open = device;
  const kernel = await compute();
  const limits: Record<string, number> = {};
  for (const name in open.gpu.limits) {
    const value = open.gpu.limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') limits[name] = value;
  }
  return {
    versions,
    adapter: { ...open.info, backend: BACKEND[process.platform] ?? 'Vulkan', software: open.caps.software },
    features: [...open.gpu.features].sort(),
    limits,
    kernel,
    missing: await missingOptions(open),
  };
}

const LIMITS_SHOWN = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
];

function describe({ versions, adapter, features, limits, kernel, missing }: Findings): string {
  const row = (name: string, value: string) => `${name.padEnd(10)}${value}`;
  const lines = [row('node', `${versions.node} (${versions.platform})`)];
  if (adapter) {
    lines.push(
      row('adapter', `${adapter.name}${adapter.software ? ' (software)' : ''}`),
      row('vendor', adapter.vendor),
      row('driver', adapter.driver),
      row('backend', adapter.backend),
    );
    lines.push(row('features', features.join(', ') || 'none'));
    for (const name of LIMITS_SHOWN) lines.push(row(name === LIMITS_SHOWN[0] ? 'limits' : '', `${name} ${limits[name]}`));
  } else {
    lines.push(row('adapter', 'none that can be used'));
  }
  lines.push(row('kernel', adapter ? `${kernel.ok ? 'right' : 'WRONG'}, ${kernel.detail}` : kernel.detail));
  for (const { what, remedy } of missing) lines.push(row('missing', what), row('', `-> ${remedy}`));
  return lines.join('\n');
}

export const doctor: Verb = {
  configure: (command) => {
    command.option(...DEVICE).addHelpText('after', '\nExit code 0 only if a small kernel computed the right answer on the adapter.');
  },
  async run(_, { device }: { readonly device?: number }): Promise<Outcome> {
    if (device !== undefined) await takeDevice(device);
    const findings = await examine();
    return { text: describe(findings), json: findings, exitCode: findings.kernel.ok ? 0 : 1 };
  },
};
