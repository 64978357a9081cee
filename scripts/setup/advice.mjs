// SPDX-License-Identifier: MIT
// What to install where no adapter answers: said by the set-up and by `voxelgrad doctor`.
import { existsSync, readFileSync } from 'node:fs';

/** ID and VERSION_ID of /etc/os-release, empty elsewhere. */
export function system() {
  if (!existsSync('/etc/os-release')) return { id: process.platform, version: '', like: '' };
  const text = readFileSync('/etc/os-release', 'utf8');
  const field = (name) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { id: field('ID'), version: field('VERSION_ID'), like: field('ID_LIKE') };
}

/** What a person has to install by hand, per system. */
export function adviceFor({ id, version, like }) {
  const family = `${id} ${like}`;
  if (id === 'darwin') return 'macOS has Metal: no adapter usually means a virtual machine without graphics. Enable its GPU.';
  if (id === 'win32') return 'Windows has Direct3D 12: install the graphics driver of your GPU vendor.';
  if (id === 'debian' && version === '12')
    return 'As root: enable bookworm-backports, then apt-get install -t bookworm-backports mesa-vulkan-drivers';
  if (/debian|ubuntu/.test(family)) return 'sudo apt-get install mesa-vulkan-drivers (Mesa 25 is what we test with)';
  if (/fedora|rhel|centos/.test(family)) return 'sudo dnf install mesa-vulkan-drivers vulkan-loader';
  if (/arch/.test(family)) return 'sudo pacman -S vulkan-swrast vulkan-icd-loader';
  if (/alpine/.test(family)) return 'The npm package "webgpu" (Dawn) has no build for musl; use a glibc system.';
  if (/suse/.test(family)) return 'sudo zypper install libvulkan_lvp libvulkan1';
  return "Install a Vulkan driver: that of your GPU, or Mesa's software driver Lavapipe (often called mesa-vulkan-drivers).";
}
