// SPDX-License-Identifier: MIT
// A long program goes to the device in pieces, so that it starts while the host records; a short one in one.
import { expect, it } from 'vitest';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { softmax } from '../../src/ops/softmax.ts';

it.each([
  [500, 1],
  [1201, 3],
])('%i dispatches in %i submits, to the bits of one after another', async (dispatches, submits) => {
  using device = await openDevice();
  const x = tensor(
    Float32Array.from({ length: 8 }, (_, i) => Math.sin(i)),
    { shape: [2, 4] },
  );
  const chain = (start: Tensor): Tensor => {
    let y = start;
    for (let i = 0; i < dispatches; i++) y = softmax(y);
    return y;
  };
  using program = await compile(({ start }: { start: Tensor }) => ({ y: chain(start) }), { start: x });
  expect(program.report().dispatches).toBe(dispatches);
  let count = 0;
  const submit = device.gpu.queue.submit.bind(device.gpu.queue);
  device.gpu.queue.submit = (buffers) => {
    count++;
    submit(buffers);
  };
  const { y } = program.run();
  expect(count).toBe(submits);
  expect(await y.data()).toEqual(await evaluate(() => chain(x)).data());
});
