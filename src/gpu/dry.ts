// SPDX-License-Identifier: MIT
// A WebGPU device that has sizes but no memory and computes nothing: what a program would need can be planned and counted where
// there is no adapter, or none large enough. Give it to openDevice({ gpuDevice }).

/** A common GPU: buffers up to 4 GiB. */
const LIMITS = {
  maxStorageBufferBindingSize: 2 ** 32 - 4,
  maxBufferSize: 2 ** 32,
  maxComputeWorkgroupStorageSize: 32768,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupsPerDimension: 65535,
  maxStorageBuffersPerShaderStage: 10,
};

const nothing = (): undefined => undefined;
const never = new Promise<never>(nothing);

/** What `voxelgrad doctor --json` says of an adapter. */
export interface AdapterFacts {
  readonly adapter: { readonly vendor: string; readonly name: string; readonly software: boolean };
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/**
 * `software`: as Lavapipe, with subgroups of 8, instead of a GPU with subgroups of 32. `like`: with the limits and features of an adapter
 * elsewhere; `limits`: those that differ from either's. What is read back is zeros.
 */
export function dryDevice({
  like,
  software = like?.adapter.software ?? false,
  limits = {},
}: { like?: AdapterFacts; software?: boolean; limits?: Partial<typeof LIMITS> } = {}): GPUDevice {
  const lanes = software ? 8 : 32;
  const pipeline = { getBindGroupLayout: () => ({}) };
  const pass = { setPipeline: nothing, setBindGroup: nothing, dispatchWorkgroups: nothing, end: nothing };
  const encoder = { beginComputePass: () => pass, clearBuffer: nothing, copyBufferToBuffer: nothing, finish: () => ({}) };
  const device = {
    limits: { ...(like?.limits ?? LIMITS), ...limits },
    features: new Set((like?.features ?? ['shader-f16', 'subgroups']).filter((f) => f !== 'timestamp-query')),
    adapterInfo: {
      vendor: like?.adapter.vendor ?? 'none',
      device: software ? 'dry run (software)' : 'dry run',
      description: 'computes nothing',
      architecture: '',
      subgroupMinSize: lanes,
      subgroupMaxSize: lanes,
    },
    lost: never,
    queue: { writeBuffer: nothing, submit: nothing, onSubmittedWorkDone: () => Promise.resolve() },
    createBuffer: ({ size, usage }: GPUBufferDescriptor) => ({
      size,
      usage,
      destroy: nothing,
      mapAsync: () => Promise.resolve(),
      getMappedRange: () => new ArrayBuffer(size),
    }),
    createShaderModule: () => ({}),
    createComputePipeline: () => pipeline,
    createComputePipelineAsync: () => Promise.resolve(pipeline),
    createBindGroup: () => ({}),
    createCommandEncoder: () => encoder,
    addEventListener: nothing,
    removeEventListener: nothing,
    destroy: nothing,
  };
  return device as unknown as GPUDevice;
}
