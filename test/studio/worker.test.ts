// SPDX-License-Identifier: MIT
// The studio's worker in Chromium, as its page would use it: the sample opened, a third of it drawn, trained on, segmented, taken away.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { sameGeometry, voxelToWorld } from '../../src/data/geometry.ts';
import type { Volume } from '../../src/data/volume.ts';
import { readVolume, volumeBytes } from '../../src/io/browser/volume.ts';
import { makeSample } from '../../src/studio/session/sample.ts';
import { bundled, chromium, expectNoNode, removeBundled } from '../browser/chromium.ts';
import { ORIENTATIONS } from '../data/orientations.ts';
import { needs } from '../needs.ts';
import { openBrowser } from './browser.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await bundled();
});
afterAll(() => removeBundled(scratch));

const { it } = needs(chromium, 'Chromium');

it('draws on the sample, trains, pauses, goes on, and gives a mask on its exact grid', async () => {
  await expectNoNode(join(scratch, 'dist/studio/worker.js'));
  await using browser = await openBrowser(scratch);
  const tab = await browser.open();
  const opened = await tab.ask(async ({ studio, listen }) => {
    await listen();
    const { session, added, problems } = await studio.addPhantom();
    const { size, data } = await studio.voxels(added[0]);
    return { added, problems, session, size, first: data[0], kind: data.constructor.name };
  });
  const sample = makeSample();
  expect(opened).toMatchObject({ added: ['phantom'], problems: [], size: [24, 64, 64], first: sample.image.data[0], kind: 'Int16Array' });
  expect(opened.session.training).toMatchObject({ status: 'none' });
  expect(opened.session.cases[0]).toMatchObject({
    spacing: [1.5, 0.75, 0.75],
    share: 0,
    affine: [0.75, 0, 0, 0, 0, 0.75, 0, 0, 0, 0, 1.5, 0, 0, 0, 0, 1],
  });

  expect(await tab.ask(async ({ studio, failure, plan }) => failure(studio.start({ preset: 'demo', plan: plan(4) })))).toMatchObject({
    code: 'USAGE',
    message: 'start: no slice is annotated.',
  });

  const drawn = await tab.ask(async ({ studio, annotateThird, truth }) => {
    await annotateThird('phantom');
    const { annotated, share } = (await studio.session()).cases[0];
    const labels = await studio.annotation('phantom'),
      all = truth();
    return { annotated, share, wrong: labels.findIndex((v, i) => v !== (Math.floor(i / 4096) % 3 === 1 ? all[i] : 0)) };
  });
  expect(drawn).toEqual({ annotated: { transverse: [1, 4, 7, 10, 13, 16, 19, 22], coronal: [] }, share: 1 / 3, wrong: -1 });

  const trained = await tab.ask(async ({ studio, whole, plan, event, events }) => {
    const third = event((e) => e.kind === 'iteration' && e.done === 2),
      from = performance.now();
    await studio.start({ preset: 'demo', plan: plan(4) });
    await third;
    const paused = await studio.pause();
    await whole(() => studio.goOn());
    const wall = (performance.now() - from) / 1000;
    const { labels: _labels, ...slice } = (await studio.sliceMask('phantom', 'sagittal', 30))!;
    const { labels, agreement, iteration } = await studio.predict('phantom');
    const { blob, notes } = await studio.exportFile({ what: 'mask', name: 'phantom', format: 'nifti' });
    return {
      paused: { status: paused.status, done: paused.done },
      training: await studio.training(),
      slice,
      mask: { voxels: labels.length, slices: agreement?.transverse.length, iteration },
      proposed: await studio.propose('phantom', 'transverse'),
      notes,
      wall,
      iterations: events.flatMap((e) => (e.kind === 'iteration' ? [{ done: e.done, seconds: e.seconds }] : [])),
      kinds: [...new Set(events.map(({ kind }) => kind))],
      bytes: [...new Uint8Array(await blob.arrayBuffer())],
      report: (await (await studio.exportFile({ what: 'report' })).blob.text()).slice(0, 15),
    };
  });
  expect(trained.paused.status).toBe('paused');
  expect(trained.training).toMatchObject({ status: 'finished', run: 1, done: 4, total: 4 });
  // Every iteration is told once, when it is done, with the time that it took.
  expect(trained.iterations.map(({ done }) => done)).toEqual([1, 2, 3, 4]);
  expect(trained.iterations.reduce((sum, { seconds }) => sum + seconds, 0)).toBeLessThanOrEqual(trained.wall);
  expect(trained.training.log.map(({ iteration }) => iteration)).toEqual(expect.arrayContaining([1, 2, 4]));
  expect(trained.slice).toMatchObject({ size: [24, 64], run: 1, iteration: 4 });
  expect(trained.mask).toEqual({ voxels: 24 * 64 * 64, slices: 24, iteration: 4 });
  expect(drawn.annotated.transverse).not.toContain(trained.proposed!.index);
  expect(trained.proposed!.agreement).toBeGreaterThanOrEqual(0);
  expect(trained.kinds).toEqual(expect.arrayContaining(['progress', 'iteration', 'training']));
  expect(trained.report.toLowerCase()).toBe('<!doctype html>');
  const { data: _voxels, ...grid } = await readVolume('mask.nii.gz', Uint8Array.from(trained.bytes));
  const { data: _scan, ...own } = sample.image;
  expect(grid).toEqual(own);

  // A next run of the same plan begins from those weights. What an earlier run's networks agreed on proposes no slice any more; of a scan
  // whose voxels are of another size it is said that they are, as `voxelgrad predict` says it.
  const coarse = { ...sample.image, spacing: [6, 3, 3] as [number, number, number] };
  const next = await tab.ask(
    async ({ studio, whole }, text: string) => {
      await studio.addFiles([{ path: 'coarse.nii.gz', file: new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]) }]);
      const first = (await studio.exportFile({ what: 'plan' })).blob.text();
      await whole(() => studio.start({ preset: 'same', iterations: 2 }));
      const [before, after] = [await first, await (await studio.exportFile({ what: 'plan' })).blob.text()].map((plan) => JSON.parse(plan));
      return {
        method: JSON.stringify(before.method) === JSON.stringify(after.method),
        training: await studio.training(),
        proposed: await studio.propose('phantom', 'transverse'),
        known: (await studio.sliceMask('phantom', 'transverse', 3))!.doubts,
        doubts: (await studio.sliceMask('coarse', 'transverse', 3))!.doubts,
        notes: (await studio.predict('coarse'), await studio.exportFile({ what: 'mask', name: 'coarse', format: 'nifti' })).notes,
      };
    },
    Buffer.from(await volumeBytes('coarse.nii.gz', coarse)).toString('base64'),
  );
  expect(next.method).toBe(true);
  expect(next.training).toMatchObject({ status: 'finished', run: 2, done: 2, total: 2 });
  expect(next.proposed).toMatchObject({ agreement: null });
  expect(next.known).toEqual([]);
  const size = expect.stringContaining('voxels of 6 x 3 x 3 mm, where the scans that were trained on have 1.5 x 0.75 x 0.75');
  expect(next.doubts).toEqual([size]);
  expect(next.notes).toContainEqual(size);

  const other = await browser.open();
  expect(
    await other.ask(
      async ({ studio, failure }, id: string) => ({
        failure: await failure(studio.openSession(id)),
        busy: (await studio.sessions())[0].busy,
      }),
      opened.session.id,
    ),
  ).toEqual({
    failure: { code: 'BUSY', message: 'session: another tab has it open.', hint: 'Close it there, or go on there.' },
    busy: true,
  });
});

it('keeps every voxel where it lies in the patient, however its file is stored', async () => {
  const size = [5, 6, 7] as const,
    at = [1, 4, 2] as const,
    where = (at[0] * size[1] + at[1]) * size[2] + at[2];
  const files: Record<string, string> = {};
  const scans = new Map<string, Volume>();
  for (const [name, direction] of Object.entries(ORIENTATIONS)) {
    const data = new Int16Array(size[0] * size[1] * size[2]).fill(-500);
    data[where] = 900;
    const scan: Volume = { size: [...size], spacing: [3, 0.5, 0.8], origin: [11, -20, 35], direction: [...direction], data };
    scans.set(name, scan);
    files[`${name}.nii.gz`] = Buffer.from(await volumeBytes(`${name}.nii.gz`, scan)).toString('base64');
  }
  await using browser = await openBrowser(scratch);
  const tab = await browser.open();
  const found = await tab.ask(async ({ studio, base64 }, own: Record<string, string>) => {
    const { session, problems } = await studio.addFiles(
      Object.entries(own).map(([path, text]) => ({ path, file: new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]) })),
    );
    await studio.setClasses([...session.classes, { name: 'other', colour: '#00ff00' }]);
    const cases = [];
    for (const {
      name,
      size: [D, H, W],
      affine,
    } of session.cases) {
      const { data } = await studio.voxels(name),
        i = data.indexOf(900),
        voxel = [Math.floor(i / (H * W)), Math.floor(i / W) % H, i % W];
      // Drawn on its coronal slice, as class 2.
      const labels = new Uint8Array(D * W);
      labels[voxel[0] * W + voxel[2]] = 2;
      await studio.annotate(name, [{ plane: 'coronal', index: voxel[1], labels, annotated: true }]);
      cases.push({ name, affine, voxel, annotation: await base64((await studio.exportFile({ what: 'annotation', name })).blob) });
    }
    return { problems, cases };
  }, files);
  expect(found.problems).toEqual([]);
  expect(found.cases.map(({ name }) => name).sort()).toEqual(Object.keys(ORIENTATIONS).sort());
  for (const {
    name,
    affine,
    voxel: [d, h, w],
    annotation,
  } of found.cases) {
    const scan = scans.get(name)!;
    // Where the page says that the voxel lies is where the file says so, and its axes grow to Right, Anterior and Superior.
    const [x, y, z] = voxelToWorld(scan, [...at]);
    const ras = [0, 4, 8].map((row) => affine[row] * w + affine[row + 1] * h + affine[row + 2] * d + affine[row + 3]);
    [-x, -y, z].forEach((mm, axis) => {
      expect(ras[axis]).toBeCloseTo(mm, 4);
    });
    for (const row of [0, 1, 2]) {
      const along = affine.slice(4 * row, 4 * row + 3);
      expect(along[row]).toBe(Math.max(...along.map(Math.abs)));
    }
    const { data, ...grid } = await readVolume('annotation.nii.gz', new Uint8Array(Buffer.from(annotation, 'base64')));
    expect(sameGeometry(grid, scan)).toBe(true);
    expect([...data.keys()].filter((i) => data[i] === 2)).toEqual([where]);
    const across = [...data].filter((v) => v !== 255).length;
    expect([...data].filter((v) => v === 0)).toHaveLength(across - 1);
    expect(data.length % across).toBe(0); // one slice
  }
});

it('reaches nobody else, from the page or the worker, and is there without a network after the first visit', async () => {
  const asked: string[] = [];
  const elsewhere = createServer((request, response) => {
    asked.push(request.url!);
    response.writeHead(200, { 'Access-Control-Allow-Origin': '*' }).end();
  }).listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
  await using browser = await openBrowser(scratch);
  const tab = await browser.open();
  const found = await tab.ask(async ({ studio, failure, hook }, other: string) => {
    await studio.sessions(); // the worker is there
    const worker = await hook(`${other}/worker`);
    const image = await new Promise((resolve) => {
      const picture = new Image();
      picture.addEventListener('load', () => {
        resolve('came');
      });
      picture.addEventListener('error', () => {
        resolve('refused');
      });
      picture.src = `${other}/image.png`;
    });
    const inline = document.createElement('script');
    inline.textContent = 'globalThis.inlined = true';
    document.head.append(inline);
    return {
      worker,
      image,
      page: String(await failure(fetch(`${other}/page`))),
      inlined: 'inlined' in globalThis,
      served: await studio.served(),
    };
  }, url);
  elsewhere.close();
  expect(asked).toEqual([]);
  expect(found).toEqual({ worker: 'refused', image: 'refused', page: 'TypeError: Failed to fetch', inlined: false, served: null });

  await tab.ask(async () => {
    const registration = await navigator.serviceWorker.register('sw.js');
    const installing = registration.installing ?? registration.waiting ?? registration.active!;
    while (installing.state !== 'activated') await new Promise((later) => setTimeout(later, 50));
  });
  await browser.offline();
  const without = await tab.ask(async () => {
    const [page, worker] = await Promise.all([fetch('./'), fetch('worker.js')]);
    return {
      page: (await page.text()).slice(0, 15),
      worker: worker.status,
      policy: worker.headers.get('content-security-policy')?.includes("connect-src 'self'"),
      other: await fetch('not there').then(
        () => 'came',
        () => 'refused',
      ),
    };
  });
  expect(without).toEqual({ page: '<!doctype html>', worker: 200, policy: true, other: 'refused' });
});
