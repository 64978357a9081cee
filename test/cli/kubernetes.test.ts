// SPDX-License-Identifier: MIT
// deploy/kubernetes: the manifest as kubectl's own types take it, without a server; what a pod would start.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect } from 'vitest';
import { needs } from '../needs.ts';
import { memoryScratch } from './processes.ts';

/** Indexed jobs came late. */
function isKnown(): boolean {
  const { stdout } = spawnSync('kubectl', ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  return Number(/"minor": "(\d+)/.exec(stdout ?? '')?.[1]) >= 24;
}
const withKubectl = needs(isKnown(), 'kubectl 1.24 or newer');
const folder = memoryScratch();
const MANIFEST = 'deploy/kubernetes/cohort.yaml';

const kubectl = (...argv: string[]): any =>
  JSON.parse(execFileSync('kubectl', [...argv, '--local', '-o', 'json'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }));

/** Fields of `all` that `known` lacks or has otherwise, by path. */
function lost(all: any, known: any, path = ''): string[] {
  if (typeof all !== 'object' || all === null) return all === known ? [] : [path];
  return Object.entries(all).flatMap(([key, value]) => lost(value, known?.[key], `${path}/${key}`));
}

/** What kubectl drops: `label` keeps every field of the file, `set image` decodes to the types of the API and leaves out what they lack. */
const unknown = (file: string): string[] =>
  lost(kubectl('label', '-f', file, 'checked=yes'), kubectl('set', 'image', '-f', file, 'predict=checked')).filter(
    (path) => !/labels|image$/.test(path),
  );

withKubectl.it('every field of the Job is one of the API, of its type', () => {
  expect(unknown(MANIFEST)).toEqual([]);
  const text = readFileSync(MANIFEST, 'utf8');
  const broken = (from: string, to: string): string => {
    const file = join(folder, 'broken.yaml');
    writeFileSync(file, text.replace(from, to));
    return file;
  };
  expect(unknown(broken('completionMode:', 'completionsMode:'))).toEqual(['/spec/completionsMode']);
  expect(() => unknown(broken('memory: 8Gi', 'memory: lots'))).toThrow('quantities must match');
});

withKubectl.it('every pod takes its part, all of them all parts', () => {
  const { spec } = kubectl('label', '-f', MANIFEST, 'checked=yes');
  const [{ command, args }] = spec.template.spec.containers;
  writeFileSync(join(folder, 'node'), '#!/bin/sh\necho "$@"\n');
  chmodSync(join(folder, 'node'), 0o755);
  expect(spec.completionMode).toBe('Indexed');
  const parts = Array.from({ length: spec.completions }, (_, index) => {
    const env = { PATH: [folder, process.env.PATH].join(delimiter), JOB_COMPLETION_INDEX: String(index) };
    const said = execFileSync(command[0], [...command.slice(1), ...args], { encoding: 'utf8', env });
    return /predict --input \S+ --output \S+ --run \S+ --part (\S+)$/m.exec(said)?.[1];
  });
  expect(parts).toEqual(Array.from({ length: 8 }, (_, i) => `${i + 1}/8`));
});
