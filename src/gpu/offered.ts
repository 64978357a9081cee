// SPDX-License-Identifier: MIT
// Whether a page can run the engine at all, asked before anything is loaded.

export type Offered = 'ready' | 'insecure' | 'no-webgpu' | 'no-adapter' | 'no-subgroups';

export async function offered(): Promise<Offered> {
  if (!globalThis.isSecureContext) return 'insecure';
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) return 'no-webgpu';
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) return 'no-adapter';
  return adapter.features.has('subgroups') ? 'ready' : 'no-subgroups';
}
