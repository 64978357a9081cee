// SPDX-License-Identifier: MIT
// The command line as real processes, from today's sources: dist/ may be older than they are.
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll } from 'vitest';
import { checkpointPath } from '../../src/io/node/run/folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A folder in memory where there is one (a checkpoint of SAM has 150 MB), removed after the test file. */
export function memoryScratch(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'voxelgrad-run-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Bundles src/cli beside a copy of bin/, where node finds the packages; returns the executable. */
export async function bundleCli(): Promise<string> {
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, 'node_modules/.cache/voxelgrad-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  await build({
    absWorkingDir: root,
    entryPoints: { cli: 'src/cli/main.ts' },
    outdir: join(folder, 'dist'),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'node',
    packages: 'external',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    logLevel: 'warning',
  });
  mkdirSync(join(folder, 'bin'));
  copyFileSync(join(root, 'bin/voxelgrad.mjs'), join(folder, 'bin/voxelgrad.mjs'));
  return join(folder, 'bin/voxelgrad.mjs');
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly text: () => string;
}

/** A command under way, with what it says. */
export function run(command: string, argv: readonly string[]): Running {
  const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, out, err }));
  });
  return { child, ended, text: () => out + err };
}

export const start = (cli: string, ...argv: string[]): Running => run(process.execPath, [cli, ...argv]);

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Waits until `happened` or the process has ended. */
export async function waitFor({ child }: Running, happened: () => boolean | Promise<boolean>): Promise<void> {
  while (child.exitCode === null && child.signalCode === null && !(await happened())) await pause(50);
}

/** Iterations of the last checkpoint, 0 where there is none. */
export async function savedIteration(run: string): Promise<number> {
  const file = await open(checkpointPath(run, 'latest')).catch(() => null);
  if (!file) return 0;
  try {
    // The header alone: a checkpoint of SAM is large, and this is asked often.
    const length = Buffer.alloc(8);
    await file.read(length, 0, 8, 0);
    const header = Buffer.alloc(Number(length.readBigUInt64LE()));
    await file.read(header, 0, header.length, 8);
    return JSON.parse(JSON.parse(header.toString()).__metadata__.state).iteration;
  } finally {
    await file.close();
  }
}
