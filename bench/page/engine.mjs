// SPDX-License-Identifier: MIT
// In a page bench/engine.mjs is this: the engine as it stands in src, in the page's own bundle.
export const importEngine = () => import('../../src/index.ts');
