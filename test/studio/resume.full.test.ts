// SPDX-License-Identifier: MIT
// Training in the studio that does not go straight to its end: a tab killed, a device lost, a session carried to Node and back, space
// that runs out. All of them end with the bits of a run left alone, or say why not.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { parseSafetensors } from '../../src/files/safetensors.ts';
import { ZipFile } from '../../src/files/zip.ts';
import { bundled, chromium, removeBundled } from '../browser/chromium.ts';
import { needs } from '../needs.ts';
import { openBrowser, type Browser, type Tab } from './browser.ts';
import { voxelgrad } from '../cli/voxelgrad.ts';

/** Iterations of every run here. */
const N = 6;
let scratch: string;
let browser: Browser;
/** Weights of a run left alone. */
let alone: Map<string, number[]>;

const weights = (base64: string): Map<string, number[]> => {
  const { tensors } = parseSafetensors(new Uint8Array(Buffer.from(base64, 'base64')), 'model');
  return new Map([...tensors].map(([name, { data }]) => [name, [...(data as Float32Array)]]));
};

/** A session with a third of the sample drawn, and its id. */
const begun = (tab: Tab): Promise<string> =>
  tab.ask(async ({ studio, listen, annotateThird }) => {
    await listen();
    const { session } = await studio.addPhantom();
    await annotateThird('phantom');
    return session.id;
  });

const model = (tab: Tab): Promise<string> =>
  tab.ask(async ({ studio, base64 }) => base64((await studio.exportFile({ what: 'model' })).blob));

beforeAll(async () => {
  if (!chromium) return;
  scratch = await bundled();
  browser = await openBrowser(scratch);
  const tab = await browser.open();
  await begun(tab);
  await tab.ask(async ({ studio, whole, plan }, n: number) => whole(() => studio.start({ preset: 'demo', plan: plan(n) })), N);
  alone = weights(await model(tab));
  await tab.close();
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  if (scratch) removeBundled(scratch);
});

const { it } = needs(chromium, 'Chromium');

describe('a tab that is killed in the middle of training', () => {
  it('is gone on with in another, to the same bits', async () => {
    const first = await browser.open();
    const id = await begun(first);
    await first.ask(async ({ studio, event, plan }, n: number) => {
      const late = event((e) => e.kind === 'iteration' && e.done === 3);
      await studio.start({ preset: 'demo', plan: plan(n) });
      await late;
    }, N);
    await first.close();
    const second = await browser.open();
    const found = await second.ask(async ({ studio, listen, whole }, own: string) => {
      await listen();
      const listed = (await studio.sessions()).find(({ id: each }) => each === own)!;
      const { training } = await studio.openSession(own);
      return { listed, status: training.status, done: training.done, after: await whole(() => studio.goOn()) };
    }, id);
    expect(found).toMatchObject({
      status: 'paused',
      after: { status: 'finished', done: N },
      listed: { busy: false, run: { total: N, finished: false } },
    });
    expect(found.done).toBeGreaterThanOrEqual(0);
    expect(weights(await model(second))).toEqual(alone);
    await second.close();
  });
});

describe('a device that is lost', () => {
  it('is opened anew, and the run ends with the same bits', async () => {
    const tab = await browser.open();
    await begun(tab);
    const events = await tab.ask(async ({ studio, event, events: all, whole, plan, hook }, n: number) => {
      void event((e) => e.kind === 'iteration' && e.done === 3).then(() => hook('lose'));
      await whole(() => studio.start({ preset: 'demo', plan: plan(n) }));
      return all.filter(({ kind }) => kind === 'lost');
    }, N);
    expect(events).toEqual([
      { kind: 'lost', message: expect.stringMatching(/^device: (the GPU device was lost|reading back failed)/), again: true },
    ]);
    expect(weights(await model(tab))).toEqual(alone);
    await tab.close();
  });
});

describe('a session file', () => {
  it('goes on in Node, and what Node made goes on here', async () => {
    const tab = await browser.open();
    await begun(tab);
    const zip = await tab.ask(async ({ studio, event, plan, base64 }, n: number) => {
      const late = event((e) => e.kind === 'iteration' && e.done === 3);
      await studio.start({ preset: 'demo', plan: plan(n) });
      await late;
      await studio.pause();
      return base64((await studio.exportFile({ what: 'session' })).blob);
    }, N);
    const folder = join(scratch, 'session'),
      unpacked = new ZipFile(new Uint8Array(Buffer.from(zip, 'base64')), 'session.zip');
    for (const name of unpacked.names) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), unpacked.read(name));
    }
    expect(unpacked.names).toEqual(
      expect.arrayContaining([
        'session.json',
        'data/dataset.json',
        'data/annotations.json',
        'data/imagesTr/phantom_0000.nii.gz',
        'data/labelsTr/phantom.nii.gz',
        'run/plan.json',
        'run/checkpoints/latest.safetensors',
      ]),
    );
    expect(await voxelgrad(['check', join(folder, 'data')])).toMatchObject({
      code: 0,
      out: expect.stringContaining('1 cases read, 0 errors'),
    });
    expect(await voxelgrad(['train', join(folder, 'data'), '--run', join(folder, 'run'), '--resume'])).toMatchObject({
      code: 0,
      out: expect.stringContaining(`Trained ${N} iterations`),
    });
    const node = weights(readFileSync(join(folder, 'run/checkpoints/final.safetensors')).toString('base64'));
    expect([...node.keys()]).toEqual([...alone.keys()]);
    const far = Math.max(...[...node].map(([name, values]) => Math.max(...values.map((v, i) => Math.abs(v - alone.get(name)![i])))));
    expect(far).toBeGreaterThan(0); // another driver
    expect(far).toBeLessThan(0.05); // Adam's first steps turn a gradient's last digits into fractions of the learning rate

    // Node's folder, zipped as anybody would.
    const own = join(scratch, 'own');
    mkdirSync(own, { recursive: true });
    expect(existsSync(folder)).toBe(true);
    execFileSync('python3', ['-c', `import shutil,sys; shutil.make_archive(sys.argv[1],'zip',sys.argv[2])`, join(own, 'back'), folder]);
    const back = await tab.ask(
      async ({ studio }, text: string) => {
        const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const { id } = await studio.importSession(new Blob([bytes]), 'from Node');
        const { training, cases } = await studio.openSession(id);
        const { iteration, labels } = await studio.predict('phantom');
        return { training, annotated: cases[0].annotated.transverse, iteration, voxels: labels.length };
      },
      readFileSync(join(own, 'back.zip')).toString('base64'),
    );
    expect(back).toMatchObject({
      training: { status: 'finished', done: N },
      annotated: [1, 4, 7, 10, 13, 16, 19, 22],
      iteration: N,
      voxels: 24 * 64 * 64,
    });
    await tab.close();
  });
});

describe('space that runs out', () => {
  it('is said, pauses training, and loses nothing: with room again the run ends with the same bits', async () => {
    const tab = await browser.open();
    await begun(tab);
    const late = tab.ask(async ({ studio, event, plan }, n: number) => {
      const third = event((e) => e.kind === 'iteration' && e.done === 3);
      await studio.start({ preset: 'demo', plan: plan(n) });
      await third;
      return true;
    }, N);
    await late;
    await browser.quota(1);
    const refused = await tab.ask(async ({ studio, failure }) => {
      while ((await studio.training()).status === 'running') await new Promise((later) => setTimeout(later, 100));
      const another = await failure(studio.createSession('another'));
      const drawn = await failure(studio.annotate('phantom', [{ plane: 'coronal', index: 5, annotated: true }]));
      const { cases, training } = await studio.session();
      return { another, drawn, coronal: cases[0].annotated.coronal, status: training.status, failure: training.failure };
    });
    expect(refused).toMatchObject({
      another: { code: 'QUOTA', message: expect.stringMatching(/[tT]he space that the browser grants is used up/) },
      drawn: { code: 'QUOTA' },
      coronal: [],
      status: 'paused',
      failure: { code: 'QUOTA' },
    });
    await browser.quota(2 ** 31);
    expect(await tab.ask(async ({ studio, whole }) => whole(() => studio.goOn()))).toMatchObject({ status: 'finished', done: N });
    expect(weights(await model(tab))).toEqual(alone);
    await tab.close();
  });
});
