// SPDX-License-Identifier: MIT
/** src -> dist with esbuild; returns the .js files written, relative to `root`. */
export function bundle(root: string, small?: boolean): Promise<string[]>;
