// SPDX-License-Identifier: MIT
/**
 * `voxelgrad/kernels`: every entry point of every kernel file, typed, for a GPUDevice of the caller's. No engine code: an app that
 * bundles one of these carries its WGSL text and gpu/embed.ts. Names are those of the files in kernels/ and their entry points.
 * @module voxelgrad/kernels
 */
/// <reference types="@webgpu/types" preserve="true" />

export type { Binding, CompiledKernel, CompileKernelOptions, Grid, Kernel } from './gpu/embed.ts';
export type { KernelDef } from './gpu/kernel.ts';
export { KernelCompileError, VoxelgradError } from './errors.ts';
export * from './gen/kernels.ts';
