// SPDX-License-Identifier: MIT
// Indices that ops read. What the host wrote itself it checks before anything runs; what the device computes, kernels guard (NaN, or
// nothing written), and a device opened with `debug` names the first call that met an index out of range.
import { IndexError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import { check_index } from '../gen/check_index.ts';
import { numel } from './dtype.ts';
import { dispatch, type Op } from './lower.ts';
import { Storage, Tensor } from './tensor.ts';
import type { Node } from './trace.ts';

/** An index input of a call, and what its indices count. */
export interface IndexUse {
  readonly index: Tensor;
  readonly below: number;
  readonly label: string;
}

export const indicesOf = ({ op, inputs, attrs }: Pick<Node, 'op' | 'inputs' | 'attrs'>, label: string): IndexUse[] =>
  (op.indices?.(inputs, attrs as never) ?? []).flatMap(({ input, below }) =>
    inputs[input] ? [{ index: inputs[input], below, label }] : [],
  );

/** @throws IndexError where the host has written an index outside */
export function expectKnown({ holds }: Storage, below: number, label: string): void {
  if (!holds || (holds.low >= 0 && holds.high < below)) return;
  throw new IndexError(
    `${label}: got index ${holds.low < 0 ? holds.low : holds.high}, expected 0 to ${below - 1}.`,
    holds.low < 0 ? 'Indices count from the start; add the size to those from the end.' : undefined,
  );
}

interface CheckAttrs {
  readonly below: number;
  readonly call: number;
}

const checkOp = {
  name: 'check_index',
  call: () => {
    throw new Error('check_index: made for devices opened with debug');
  },
  infer: () => [],
  mutates: () => [1],
  lower({ inputs: [index, found], attrs }: { inputs: Parameters<Op['lower']>[0]['inputs']; attrs: CheckAttrs }) {
    return [
      dispatch(check_index, { index: index!, found: found! }, { n: numel(index!.shape), ...attrs }, [1, 1, 1], {
        spec: { J: index!.dtype },
      }),
    ];
  },
} as unknown as Op;

/** The call that looks at an index input on the device; none unless it was opened with `debug`. */
export function watchNode(device: Device, { index, below, label }: IndexUse): Node[] {
  const { watch } = device;
  if (!watch) return [];
  const found = new Tensor({ shape: [3], dtype: 'u32' }, new Storage(device, watch.buffer, 0, 12, false));
  return [
    {
      op: checkOp,
      inputs: [index, found],
      outputs: [],
      attrs: { below, call: watch.call(label, below) } satisfies CheckAttrs,
      label: `check_index of ${label}`,
      detached: true,
      gradient: false,
    },
  ];
}
