// SPDX-License-Identifier: MIT
// Sums of partial results: what one dispatch adds up, and how a program adds up six at once that land in one arena of gradients. The order
// of each sum is its op's own, and so are the bits: starting a dispatch is paid for less often, nothing else.
import { split_sum } from '../gen/split_sum.ts';
import { dispatch, grid1d, type Dispatch, type Ref } from './lower.ts';
import { Storage } from './tensor.ts';

/** Partial results [splits, n] from element `first` on; their sum begins at element `to`. */
interface Sum {
  readonly n: number;
  readonly splits: number;
  readonly first?: number;
  readonly to?: number;
}
/** A dispatch of one sum into given memory, which may be done later than its op asks. */
export interface Waiting<P> {
  readonly sum: Dispatch;
  readonly from: P;
  readonly to: Storage;
}

/** The default limit of storage buffers is eight. */
export const AT_ONCE = 6;

/** The dispatch of at most six sums into y by workgroups of `WG` lanes; `kept`: times it they are added to what y holds. */
export function addUp(sums: readonly Sum[], partial: Ref, y: Ref, WG: number, kept?: number): Dispatch {
  const W = sums.every(({ n, first = 0 }) => n % 4 === 0 && first % 4 === 0) ? 4 : 1; // `to` is aligned as arenas are
  const params: Record<string, number> = { scale: kept ?? 0 };
  let end = 0;
  for (let k = 0; k < AT_ONCE; k++) {
    const { n, splits, first = 0, to = 0 } = sums[k] ?? { n: 0, splits: 0 };
    end += n / W;
    Object.assign(params, { [`end${k}`]: end, [`splits${k}`]: splits, [`first${k}`]: first / W, [`to${k}`]: to / W });
  }
  const bindings = { x0: partial, x1: partial, x2: partial, x3: partial, x4: partial, x5: partial, y };
  const spec = { T: W === 4 ? `vec4<${y.dtype}>` : y.dtype };
  const overrides = { WG, KEEP: Number(kept !== undefined) };
  return dispatch(split_sum, bindings, params as never, grid1d(Math.ceil(end / WG)), { spec, overrides });
}

/** Whether an op's last dispatch is a sum that may wait for others. */
export const isSum = (d: Dispatch | undefined): d is Dispatch => d?.def === split_sum && d.bindings.y.dtype === 'f32';
/** Whether two sums can be one dispatch. */
export const alike = <P>(a: Waiting<P>, b: Waiting<P>): boolean =>
  a.to.buffer === b.to.buffer && a.sum.overrides.KEEP === b.sum.overrides.KEEP && a.sum.params.scale === b.sum.params.scale;

/** What a dispatch of one sum adds up. */
function only({ params, spec }: Dispatch): Sum {
  const W = spec.T.startsWith('vec4') ? 4 : 1;
  return { n: params.end0 * W, splits: params.splits0, first: params.first0 * W };
}

/** y + scale * the sum of partial results, where `sum` makes a tensor of them that `then` alone reads. */
export const straight = (sum: Dispatch, then: Dispatch): Dispatch =>
  addUp([only(sum)], sum.bindings.x0, then.bindings.y, then.overrides.WG, then.params.scale);

/** One dispatch for sums into one buffer, and where its bindings lie. */
export function together<P>(list: readonly Waiting<P>[]): { dispatch: Dispatch; bytes: number; place: (binding: string) => P | Storage } {
  const low = Math.min(...list.map(({ to }) => to.offset));
  const high = Math.max(...list.map(({ to }) => to.offset + to.bytes));
  const { device, buffer } = list[0].to;
  const all = new Storage(device, buffer, low, high - low, false);
  const sums = list.map(({ sum, to }) => ({ ...only(sum), to: (to.offset - low) / 4 }));
  const { bindings, overrides, params } = list[0].sum;
  return {
    bytes: sums.reduce((bytes, { n, splits }) => bytes + 4 * n * (splits + 1), 0),
    dispatch: addUp(sums, bindings.x0, bindings.y, overrides.WG, overrides.KEEP ? params.scale : undefined),
    place: (binding) => (binding === 'y' ? all : (list[Number(binding[1])] ?? list[0]).from),
  };
}
