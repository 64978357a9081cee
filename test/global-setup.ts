// SPDX-License-Identifier: MIT
// The kernels' typed bindings (src/gen) are not in git: they are written before any test imports them.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export default function setup(): void {
  execFileSync(process.execPath, ['build.mjs', '--gen'], { cwd: fileURLToPath(new URL('..', import.meta.url)), stdio: 'inherit' });
}
