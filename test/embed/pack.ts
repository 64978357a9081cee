// SPDX-License-Identifier: MIT
// The package as npm would publish it, installed in a folder of its own that sees nothing of this checkout.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES = [
  'build.mjs',
  'package.json',
  'tsconfig.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'bin',
  'docs',
  'examples',
  'kernels',
  'scripts',
  'src',
];

export interface Installed {
  /** A folder with the consumer's files and node_modules. */
  readonly folder: string;
  /** Paths inside the published package. */
  readonly files: readonly string[];
  remove(): void;
}

/**
 * Builds and packs a copy of the sources (a build in place would race with other tests), then installs the tarball beside
 * `consumer`. npm would ask the registry for the dependencies; `links` come from our node_modules instead, so no network is needed.
 */
export function install(consumer: string, links: readonly string[]): Installed {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'voxelgrad-embed-')));
  const stage = join(scratch, 'stage');
  const folder = join(scratch, 'consumer');
  for (const path of SOURCES) cpSync(join(root, path), join(stage, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(stage, 'node_modules'));
  execFileSync('npm', ['pack', '--offline', '--loglevel=error', '--pack-destination', scratch], {
    cwd: stage,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const tarball = readdirSync(scratch).find((f) => f.endsWith('.tgz'))!;

  cpSync(consumer, folder, { recursive: true });
  const modules = join(folder, 'node_modules');
  execFileSync('tar', ['-xzf', join(scratch, tarball), '-C', scratch]); // npm's tarballs hold one folder, `package`
  mkdirSync(modules, { recursive: true });
  renameSync(join(scratch, 'package'), join(modules, 'voxelgrad'));
  for (const name of links) {
    mkdirSync(join(modules, name, '..'), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  const files = readdirSync(join(modules, 'voxelgrad'), { recursive: true, encoding: 'utf8' });
  return { folder, files, remove: () => rmSync(scratch, { recursive: true }) };
}
