// SPDX-License-Identifier: MIT
// What a device opened with `debug` tells on the console, and that it computes the same.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { spec } from '../../src/engine/dtype.ts';
import { compile } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type DeviceOptions } from '../../src/gpu/device.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { exp, relu } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const values = new Float32Array(64).fill(0.25);
const step = ({ x }: { x: Tensor }) => ({ y: sum(exp(matmul(x, x))) });

/** What the console was told, and what was computed; a tensor and its relu are left behind. */
async function told(debug: DeviceOptions['debug']): Promise<{ lines: string[]; eager: number[]; run: number }> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const device = await openDevice({ debug });
  try {
    const y = relu(tensor(values, { shape: [8, 8] }));
    const eager = Array.from(await y.data());
    using program = await compile(step, { x: spec([8, 8]) });
    const run = await program.run({ x: values }).y.item();
    await device.sync();
    return { lines: log.mock.calls.map(String), eager, run };
  } finally {
    device.close();
  }
}

describe('openDevice({ debug })', () => {
  it('writes a line a dispatch: op, kernel, workgroups, bytes and time', async () => {
    const { lines } = await told(['calls']);
    const about = (label: string) => lines.find((l) => l.includes(label)) ?? '';
    expect(about('relu ')).toMatch(/^voxelgrad: relu pointwise\w*  \d+ x 1 x 1  [\d.]+ \w+(  \d+\.\d{3} ms)?$/);
    expect(about('matmul#0')).toMatch(/^voxelgrad: matmul#0 matmul\w*  \d+ x \d+ x \d+  [\d.]+ \w+(  \d+\.\d{3} ms)?$/);
    expect(lines.at(-1)).toMatch(/^voxelgrad: \d+ dispatches  \d+\.\d{3} ms$/);
    expect(lines.join()).not.toContain('held');
  });

  it('names what is still held as the device closes, the largest first, and nothing else with `memory` alone', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const device = await openDevice({ debug: ['memory'] });
    const kept = relu(tensor(new Float32Array(512), { shape: [512] }));
    tensor(new Float32Array(16), { shape: [16] }).dispose();
    const small = [tensor(values), tensor(values)];
    await kept.data();
    device.close();
    const lines = log.mock.calls.map(String);
    expect(lines[0]).toMatch(/^voxelgrad: closed with 4 buffers still held, of a peak of [\d.]+ \w+:$/);
    expect(lines.slice(1)).toEqual(['voxelgrad:   2.5 KiB  tensor, 3 times', 'voxelgrad:   2.0 KiB  relu']);
    expect(small).toHaveLength(2);
  });

  it('changes no result, and says nothing where it is off', async () => {
    const plain = await told(undefined);
    const all = await told(true);
    expect(plain.lines).toEqual([]);
    expect({ ...all, lines: [] }).toEqual(plain);
    expect(all.lines.length).toBeGreaterThan(3);
  });

  it('takes no other aspect', async () => {
    await expect(openDevice({ debug: ['speed' as never] })).rejects.toThrow(
      /openDevice: got debug\[0\] "speed", expected "indices" or "calls" or "memory"/,
    );
    await expect(openDevice({ debug: 2 as never })).rejects.toThrow(/openDevice: got debug 2, expected/);
  });
});
