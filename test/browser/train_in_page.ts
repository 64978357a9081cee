// SPDX-License-Identifier: MIT
// From the bytes of scans to the bytes of a mask in a worker of Chromium, stopped and resumed on the way.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { makePhantom } from '../../src/data/phantom.ts';
import type { Volume } from '../../src/data/volume.ts';
import { readVolume, volumeBytes } from '../../src/io/browser/volume.ts';
import { answerOf, script } from './chromium.ts';
import type { Trained } from './training.ts';

const PAGE = `<!doctype html><meta charset="utf-8"><title>voxelgrad</title><script type="module">
  const names = await (await fetch('/names.json')).json();
  const files = new Map(await Promise.all(names.map(async (name) => [name, await (await fetch('/' + name)).blob()])));
  const worker = new Worker('/training.js', { type: 'module' });
  const send = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) });
  worker.onmessage = ({ data }) => send(data);
  worker.onerror = ({ message }) => send({ error: 'worker: ' + message });
  worker.postMessage({ files, scan: 'imagesTs/scan_0000.nii.gz', sam: SAM });
</script>`;

/** Scans are stored another way round than the RAS they are worked on in. */
const turned = (volume: Volume): Volume => ({ ...volume, direction: [-1, 0, 0, 0, 1, 0, 0, 0, -1], origin: [12.5, -40, 7] });

/** `sam`: all three networks, which teach each other; else two small ones, which take a quarter of the time. */
export async function trainInPage(scratch: string, sam: boolean): Promise<void> {
  const options = { size: [8, 32, 32] as [number, number, number], seed: 5, radii: [3, 7] as [number, number], contrast: 300 };
  const files: Record<string, Uint8Array> = {};
  for (let index = 0; index < 6; index++) {
    const { image, label } = makePhantom({ ...options, index });
    files[`imagesTr/phantom_${index}_0000.nii.gz`] = await volumeBytes('image.nii.gz', turned(image));
    files[`labelsTr/phantom_${index}.nii.gz`] = await volumeBytes('label.nii.gz', turned(label));
  }
  const scan = turned(makePhantom({ ...options, index: 9 }).image);
  files['imagesTs/scan_0000.nii.gz'] = await volumeBytes('scan.nii.gz', scan);
  files['dataset.json'] = new TextEncoder().encode(
    JSON.stringify({ channel_names: { 0: 'CT' }, labels: { background: 0, nodule: 1 }, numTraining: 6, file_ending: '.nii.gz' }),
  );
  const served = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`/${name}`, bytes]));
  const found = await answerOf<Trained>(scratch, PAGE.replace('SAM', String(sam)), {
    ...served,
    '/names.json': JSON.stringify(Object.keys(files)),
    '/training.js': script('training.ts'),
    '/sanet.browser.js': readFileSync(join(scratch, 'dist/sanet.browser.js'), 'utf8'),
  });
  expect(found.error).toBeUndefined();
  console.log(`worker: ${found.adapter}, losses ${found.log.flatMap(({ loss }) => (loss ? [JSON.stringify(loss)] : [])).join(' ')}`);
  expect([found.stopped, found.done]).toEqual([3, 5]);
  expect(found.log.filter(({ resumed }) => resumed).map(({ iteration }) => iteration)).toEqual([3]);
  expect(found.log.filter(({ loss }) => loss).map(({ iteration }) => iteration)).toEqual([1, 2, 4, 5]);
  expect(found.traces).toEqual([
    ['plan.json', 'log.jsonl', 'checkpoints/latest.safetensors'],
    ['plan.json', 'log.jsonl', 'checkpoints/final.safetensors', 'checkpoints/best.safetensors'],
  ]);
  expect(found.refused[0]).toMatch(/^demo: another page or worker trains in this run\./);
  expect(found.refused[1]).toMatch(/^demo: holds a run already, got plan\.json, log\.jsonl, checkpoints\/latest\.safetensors\./);
  const { data, ...grid } = await readVolume('mask.nii.gz', Uint8Array.from(found.mask));
  const { data: _voxels, ...own } = await readVolume('scan.nii.gz', files['imagesTs/scan_0000.nii.gz']);
  expect(grid).toEqual(own);
  expect([...new Set(data)].filter((value) => value !== 0 && value !== 1)).toEqual([]);
}
