// SPDX-License-Identifier: MIT
// Training in a worker, so that the page stays free. This file is both: bundled for browsers (npx esbuild worker.ts --bundle --format=esm
// --outfile=worker.js), a page loads it with <script type="module" src="worker.js">, and it starts itself as the worker.
import * as vg from 'voxelgrad';

/** What the worker tells: a line to show; `done` with the trained weights, a safetensors file. */
type Told = { line: string } | { done: Uint8Array };

function page(): void {
  const worker = new Worker(import.meta.url, { type: 'module' });
  const show = (line: string): void => document.body.append(line, document.createElement('br'));
  worker.onerror = ({ message }) => show(`the worker failed: ${message}`);
  worker.onmessage = ({ data }: MessageEvent<Told>) => {
    if ('line' in data) return show(data.line);
    const link = Object.assign(document.createElement('a'), { download: 'weights.safetensors', textContent: 'Trained weights' });
    link.href = URL.createObjectURL(new Blob([data.done as Uint8Array<ArrayBuffer>]));
    document.body.append(link);
    worker.terminate();
  };
}

/** Learns y = sin x from 64 points. */
async function train(): Promise<void> {
  const tell = (told: Told): void => self.postMessage(told);
  const device = await vg.openDevice();
  tell({ line: `on ${device.info.name}` });
  const net = new vg.Sequential(new vg.Linear(1, 32), new vg.Tanh(), new vg.Linear(32, 1)).initialise(1);
  const opt = vg.adamw(net.parameters(), { lr: 1e-2 });
  const points = vg.spec([64, 1]);
  const step = ({ x, y }: { x: vg.Tensor; y: vg.Tensor }) => {
    const loss = vg.mse(net.forward(x), y);
    opt.step(vg.backward(loss, net.parameters()));
    return { loss };
  };
  const program = await vg.compile(step, { x: points, y: points });
  const x = Float32Array.from({ length: 64 }, (_, i) => (i / 63 - 0.5) * 2 * Math.PI);
  for (let i = 0; i <= 300; i++) {
    const { loss } = program.run({ x, y: x.map(Math.sin) });
    if (i % 100 === 0) tell({ line: `iteration ${i}: loss ${(await loss.item()).toFixed(4)}` });
  }
  tell({ done: vg.encodeSafetensors(await net.stateDict()) });
  device.close();
}

if (typeof document === 'undefined') await train();
else page();
