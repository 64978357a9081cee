// SPDX-License-Identifier: MIT
// Values on the console as a step computes them: for finding a fault. Reading them back waits for the device: not in a timed step.
import { expectArguments, instance, text } from '../check.ts';
import { Readback } from '../gpu/readback.ts';
import { byteSize, fromF16, hostArray } from './dtype.ts';
import { valuesText } from './show.ts';
import { Tensor } from './tensor.ts';
import { currentTrace } from './trace.ts';

export interface Printed {
  readonly tensor: Tensor;
  readonly label: string;
}

/** Writes values to the console once they have come, whatever is submitted afterwards. A device lost or closed meanwhile says so itself. */
export function printNow(printed: readonly Printed[]): void {
  if (printed.length === 0) return;
  const ranges = printed.map(({ tensor: { storage, shape, dtype } }) => ({ ...place(storage), bytes: byteSize({ shape, dtype }) }));
  const readback = new Readback(printed[0].tensor.storage.device, ranges);
  readback
    .views()
    .then((views) => {
      printed.forEach(({ tensor: { shape, dtype, size }, label }, i) => {
        const raw = hostArray(dtype, views[i].slice().buffer, size);
        const values = dtype === 'f16' ? Float32Array.from(raw, fromF16) : raw;
        console.log(`${label ? `${label} ` : ''}[${shape.join(', ')}] ${dtype} ${valuesText(values, shape)}`);
      });
    })
    .catch(() => undefined)
    .finally(() => {
      readback[Symbol.dispose]();
    });
}
const place = ({ buffer, offset }: { buffer: GPUBuffer; offset: number }): { buffer: GPUBuffer; offset: number } => ({ buffer, offset });

/**
 * x itself, its values written to the console: in a step at every run of its program, elsewhere once. They are what they are at the end of
 * the run. `relu(print(this.first.forward(x), 'first'))`
 */
export function print(x: Tensor, label = ''): Tensor {
  expectArguments('print', { x: instance('a tensor', Tensor), label: text }, [x, label]);
  const trace = currentTrace();
  if (trace) {
    trace.expectOwn('print', x);
    trace.printed.push({ tensor: x, label });
  } else printNow([{ tensor: x, label }]);
  return x;
}
