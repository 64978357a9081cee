// SPDX-License-Identifier: MIT
// The package as npm would publish it, installed in a folder of its own that sees nothing of this checkout.
import { execFileSync } from 'node:child_process';
import { cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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

interface Package {
  readonly name: string;
  readonly bytes: number;
}

export interface Installed {
  /** A folder with the consumer's files and node_modules. */
  readonly folder: string;
  /** Paths inside the published package. */
  readonly files: readonly string[];
  /** What npm put into node_modules, and what it says of each: whatever comes with ours, and what the consumer asked for. */
  readonly packages: readonly Package[];
  remove(): void;
}

/**
 * Builds and packs a copy of the sources (a build in place would race with other tests), then has npm install the tarball beside
 * `consumer`. npm would ask the registry for the dependencies: those that the consumer names are links to our node_modules, so no network
 * is needed.
 */
export function install(consumer: string, links: readonly string[]): Installed {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'voxelgrad-embed-')));
  const stage = join(scratch, 'stage');
  const folder = join(scratch, 'consumer');
  const npm = (cwd: string, ...argv: string[]): void => {
    execFileSync('npm', [...argv, '--offline', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  };
  const filter = (path: string): boolean => !/docs.(?:node_modules|api)/.test(path); // what `npm run docs` installs and writes
  for (const path of SOURCES) cpSync(join(root, path), join(stage, path), { recursive: true, filter });
  symlinkSync(join(root, 'node_modules'), join(stage, 'node_modules'));
  npm(stage, 'pack', '--pack-destination', scratch);
  const tarball = readdirSync(scratch).find((f) => f.endsWith('.tgz'))!;

  cpSync(consumer, folder, { recursive: true });
  const about = join(folder, 'package.json');
  const dependencies = Object.fromEntries(links.map((name) => [name, `file:${join(root, 'node_modules', name)}`]));
  const asked = {
    ...JSON.parse(readFileSync(about, 'utf8')),
    dependencies: { ...dependencies, voxelgrad: `file:${join(scratch, tarball)}` },
  };
  writeFileSync(about, JSON.stringify(asked));
  npm(folder, 'install', '--ignore-scripts');

  const modules = join(folder, 'node_modules');
  const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')) as { packages: Record<string, object> };
  const names = Object.keys(packages).flatMap((path) => path.split('node_modules/').slice(1, 2));
  const bytesOf = (path: string): number => {
    const entry = lstatSync(path);
    if (!entry.isDirectory()) return entry.size;
    if (path.endsWith('voxelgrad/dist/studio')) return 0; // a page of its own, with a size of its own
    return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
  };
  return {
    folder,
    files: readdirSync(join(modules, 'voxelgrad'), { recursive: true, encoding: 'utf8' }),
    packages: [...new Set(names)].map((name) => ({ name, bytes: bytesOf(realpathSync(join(modules, name))) })),
    remove: () => rmSync(scratch, { recursive: true }),
  };
}
