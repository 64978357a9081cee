// SPDX-License-Identifier: MIT
// The studio's page as the tests have it: the worker, its events, and what a person would draw.
import { proxy, wrap } from 'comlink';
import type { StudioEvent, StudioWorker } from '../../src/studio/protocol.ts';
import { makeSample } from '../../src/studio/session/sample.ts';

const studio = wrap<StudioWorker>(new Worker('hooked.js', { type: 'module' }));
const events: StudioEvent[] = [];
const listeners = new Set<(event: StudioEvent) => void>();

const channel = new BroadcastChannel('hooks');

const tools = {
  studio: studio,
  events,
  /** Hears events from now on. */
  listen: () =>
    studio.listen(
      proxy((event: StudioEvent) => {
        events.push(event);
        for (const hear of listeners) hear(event);
      }),
    ),
  /** The first event from now on that is what is waited for. */
  event: (wanted: (event: StudioEvent) => boolean) =>
    new Promise<StudioEvent>((resolve) => {
      const hear = (event: StudioEvent): void => {
        if (!wanted(event)) return;
        listeners.delete(hear);
        resolve(event);
      };
      listeners.add(hear);
    }),
  truth: () => makeSample().label.data as Uint8Array,
  /** Every third transverse slice from the known mask. */
  async annotateThird(name: string): Promise<void> {
    const { size, data } = makeSample().label,
      plane = size[1] * size[2];
    for (let index = 1; index < size[0]; index += 3)
      await studio.annotate(name, [
        { plane: 'transverse', index, labels: (data as Uint8Array).slice(index * plane, (index + 1) * plane), annotated: true },
      ]);
  },
  /** The smallest training that still is one: two bare 2D networks. */
  plan: (iterations: number) => ({
    preset: 'demo',
    name: 'studio',
    classes: ['background', 'foreground'],
    data: { roi: [8, 32, 32], jitter: [1, 2, 2], sampling: 'foreground' },
    method: {
      name: 'sanet',
      sam: { enabled: false },
      cross: { enabled: false, slices: [4, 4] },
      network2d: { stem: 4, useMSA: false, useBGC: false, useRM: false },
    },
    training: { iterations, selections: 1, checkpointEvery: 2 },
  }),
  /** Trains to the end. */
  async whole(begin: () => Promise<unknown>): Promise<unknown> {
    const over = tools.event((event) => event.kind === 'training' && event.status !== 'running');
    await begin();
    await over;
    return studio.training();
  },
  async base64(blob: Blob): Promise<string> {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = '';
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return btoa(text);
  },
  /** Has hooks.ts do something in the worker, which may answer. */
  hook(text: string): Promise<string> {
    const answer = new Promise<string>((resolve) => {
      channel.addEventListener(
        'message',
        ({ data }: MessageEvent<string>) => {
          resolve(data);
        },
        { once: true },
      );
    });
    channel.postMessage(text);
    return answer;
  },
  /** What is refused, and how. */
  failure: (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'not refused',
      (failure: unknown) => failure,
    ),
};

export type Tools = typeof tools;
Object.assign(globalThis, { tools });
