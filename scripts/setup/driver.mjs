// SPDX-License-Identifier: MIT
// The adapter stage: where no adapter answers, Debian 12 gets Mesa's software Vulkan driver from bookworm-backports (the
// release's own 22.3 is refused by Dawn); every other system gets a message.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adviceFor, system } from './advice.mjs';

const probeFile = join(dirname(fileURLToPath(import.meta.url)), 'probe.mjs');

/** The adapter that a fresh process gets, or null with what the process said. */
export function probe() {
  const child = spawnSync(process.execPath, [probeFile], { encoding: 'utf8', timeout: 60_000 });
  const line = child.stdout?.trim().split('\n').at(-1) ?? '';
  try {
    return { adapter: JSON.parse(line), said: child.stderr.trim() };
  } catch {
    return { adapter: null, said: `${child.stderr ?? ''}${child.signal ? ` (ended by ${child.signal})` : ''}`.trim() };
  }
}

const describe = ({ description, device, vendor }) => [device, description].filter(Boolean).join(', ') || vendor;

const stanzas = (text) => text.split(/\n\s*\n/);

/** Sources of this machine in apt's one-line form: [{ uri, suite }], from deb822 and one-line files. */
export function parseSources(files) {
  const found = [];
  for (const text of files) {
    for (const line of text.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/gm)) found.push({ uri: line[1], suite: line[2] });
    for (const stanza of stanzas(text)) {
      const uris = /^URIs:\s*(.+)$/m.exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
      const suites = /^Suites:\s*(.+)$/m.exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
      for (const uri of uris) for (const suite of suites) found.push({ uri, suite });
    }
  }
  return found;
}

/** The list for this one call: the machine's own Debian mirror, its security suite where it has one, and backports. */
export function backportsList(sources, key) {
  const mirror = sources.find(({ suite }) => suite === 'bookworm')?.uri ?? 'http://deb.debian.org/debian';
  const security = sources.find(({ suite }) => suite === 'bookworm-security')?.uri;
  const suites = [
    [mirror, 'bookworm'],
    [mirror, 'bookworm-updates'],
    ...(security ? [[security, 'bookworm-security']] : []),
    [mirror, 'bookworm-backports'],
  ];
  return suites.map(([uri, suite]) => `deb [signed-by=${key}] ${uri} ${suite} main\n`).join('');
}

function readSystemSources() {
  const folder = '/etc/apt/sources.list.d';
  const parts = existsSync(folder)
    ? readdirSync(folder)
        .filter((f) => /\.(list|sources)$/.test(f))
        .map((f) => join(folder, f))
    : [];
  return ['/etc/apt/sources.list', ...parts].filter((f) => existsSync(f)).map((f) => readFileSync(f, 'utf8'));
}

/** How to become root for apt: already root, sudo (asking for a password only on a terminal), or null. */
function rootPrefix() {
  if (process.getuid() === 0) return [];
  const sudo = process.stdin.isTTY ? ['sudo'] : ['sudo', '-n'];
  return spawnSync(sudo[0], [...sudo.slice(1), 'true'], { stdio: 'inherit' }).status === 0 ? sudo : null;
}

function installLavapipe() {
  const prefix = rootPrefix();
  if (!prefix)
    throw new Error(
      `No Vulkan adapter answers, and installing the software one needs root or sudo. Run this command once as root, or ask who may.`,
    );
  const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-apt-'));
  try {
    const list = join(folder, 'backports.list');
    writeFileSync(list, backportsList(parseSources(readSystemSources()), '/usr/share/keyrings/debian-archive-keyring.gpg'));
    for (const part of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(folder, part), { recursive: true });
    // Lists and caches of this call live in the folder, so that the system's own apt state is left as it was.
    const options = [
      `Dir::Etc::sourcelist=${list}`,
      'Dir::Etc::sourceparts=-',
      `Dir::State::lists=${join(folder, 'lists')}`,
      `Dir::Cache=${join(folder, 'cache')}`,
      'APT::Sandbox::User=root',
      'DPkg::Lock::Timeout=300',
    ].flatMap((o) => ['-o', o]);
    const apt = (...args) => {
      const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...options, ...args];
      const child = spawnSync(command, rest, { encoding: 'utf8' });
      if (child.status !== 0) throw new Error(`apt-get ${args[0]} failed:\n${child.stdout}${child.stderr}`.trim());
    };
    console.log('[setup] no Vulkan adapter: installing Mesa Lavapipe from bookworm-backports');
    apt('update');
    apt('install', '--yes', '--no-install-recommends', '-t', 'bookworm-backports', 'mesa-vulkan-drivers');
  } finally {
    // apt ran as root, perhaps through sudo: what it wrote needs root to go.
    if (prefix.length) spawnSync(prefix[0], [...prefix.slice(1), 'rm', '-rf', folder]);
    else rmSync(folder, { recursive: true, force: true });
  }
}

export function driverStage() {
  let { adapter, said } = probe();
  if (adapter) return describe(adapter);
  const os = system();
  if (os.id !== 'debian' || os.version !== '12' || (process.arch !== 'x64' && process.arch !== 'arm64')) {
    throw new Error(`No WebGPU adapter answers on this system. ${adviceFor(os)}\nDawn said: ${said || 'nothing'}`);
  }
  installLavapipe();
  ({ adapter, said } = probe());
  if (!adapter) throw new Error(`Mesa Lavapipe is installed, yet no adapter answers. Dawn said: ${said || 'nothing'}`);
  return `${describe(adapter)} (installed now)`;
}
