// SPDX-License-Identifier: MIT
// What an adapter is and can do, as plain data.

/** Tile by shape class of a product (ops/gemm.ts); a class without one takes the built-in table's. */
export type TunedTiles = Readonly<Record<string, string>>;

/** A product of M x K and K x N that one instruction of a subgroup computes. */
export interface MatrixSizes {
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What lowering may ask about the device. Plain data, so that `lower()` stays pure. */
export interface Caps {
  readonly f16: boolean;
  readonly subgroups: boolean;
  readonly timestamps: boolean;
  /** Sizes of the subgroup matrices (tensor cores) that multiply f16 and add in f32; null where there are none. */
  readonly subgroupMatrix: MatrixSizes | null;
  /** A processor, not a GPU, executes the kernels: register tiles win over workgroup memory. */
  readonly software: boolean;
  /** Smallest subgroup the adapter may use: 8 on Lavapipe, 32 on NVIDIA. */
  readonly subgroupSize: number;
  /** Largest one: with subgroup matrices a workgroup must be a multiple of it. */
  readonly subgroupSizeMax: number;
  /** Adapter and driver version as the driver writes them; rows of tuned choices match it. */
  readonly driver: string;
  readonly tiles: TunedTiles;
  readonly limits: {
    readonly maxStorageBufferBindingSize: number;
    readonly maxBufferSize: number;
    readonly maxComputeWorkgroupStorageSize: number;
    readonly maxComputeInvocationsPerWorkgroup: number;
    readonly maxComputeWorkgroupsPerDimension: number;
    readonly maxStorageBuffersPerShaderStage: number;
  };
}

export interface DeviceInfo {
  readonly vendor: string;
  readonly name: string;
  readonly driver: string;
}
