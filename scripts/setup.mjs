// SPDX-License-Identifier: MIT
// Makes a fresh clone ready: packages from the lock file, the build, and an adapter that answers. Plain Node without a
// dependency, because it runs before there are any. Every stage looks first and does nothing when nothing is missing.
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { driverStage } from './setup/driver.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stamp = join(modules, '.voxelgrad-setup');

/** True where every package the lock file asks for is installed in that very version (npm's own record of node_modules). */
function installedMatchesLock(lockText) {
  const record = join(modules, '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  return Object.entries(JSON.parse(lockText).packages).every(
    ([path, want]) => path === '' || (installed[path] ? installed[path].version === want.version : want.optional === true),
  );
}

function packagesStage() {
  const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const hash = createHash('sha256').update(lockText).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return 'as in the lock file';
  const matches = installedMatchesLock(lockText);
  if (!matches) {
    // npm is a .cmd file on Windows, which only a shell starts.
    const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: 'inherit',
      shell: process.platform === 'win32',
    });
    if (npm.error || npm.status !== 0) {
      throw new Error(
        `npm ci failed${npm.error ? ` (${npm.error.message})` : ` with exit code ${npm.status}`}. Is the npm registry reachable ` +
          '(npm ping)?',
      );
    }
  }
  writeFileSync(stamp, hash);
  return matches ? 'as in the lock file' : 'installed';
}

function buildStage() {
  const build = spawnSync(process.execPath, [join(root, 'build.mjs'), '--types'], { cwd: root, stdio: 'inherit' });
  if (build.status !== 0) throw new Error(`node build.mjs --types failed with exit code ${build.status}; its messages are above.`);
  return 'built';
}

async function stage(name, work) {
  const start = performance.now();
  const result = await work();
  console.log(`[setup] ${name.padEnd(8)} ${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s  ${result}`);
}

const [major] = process.versions.node.split('.').map(Number);
try {
  if (major < 20) throw new Error(`Node ${process.versions.node} is too old, 20 or newer is needed.`);
  await stage('packages', packagesStage);
  await stage('build', buildStage);
  await stage('adapter', driverStage);
} catch (error) {
  console.error(`[setup] ${error.message}`);
  process.exitCode = 1;
}
