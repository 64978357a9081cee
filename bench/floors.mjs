// SPDX-License-Identifier: MIT
// What a dispatch costs at least on an adapter that is not here: from its workgroups, lanes, bytes and operations.

/** What an op does besides its work: ranges added up, operands packed. */
const HELPER = /^(split_sum|split_finish|copy|cast|pad|fill)/;
/** Products, of which an op's operations are where it has any: an attention's lengths, softmax and sums are few beside them. */
const PRODUCT = /^(matmul|conv|attention(_ds|_dx|_narrow(_dq|_dkv)?)?$)/;

/** Lanes of a workgroup: the entry point's @workgroup_size, which is a number, an override, or a constant, perhaps a product of such. */
export function lanesOf({ kernel, spec, overrides }) {
  const [, size] = new RegExp(`@workgroup_size\\((\\w+)\\)\\s*fn ${kernel.entry}\\b`).exec(kernel.wgsl) ?? [];
  if (size === undefined) throw new Error(`${kernel.file} ${kernel.entry}: no @workgroup_size of one number found`);
  if (size in kernel.overrides) return overrides[size] ?? kernel.overrides[size].default;
  const valueOf = (name) => {
    const value = /^\d/.test(name) ? name : (spec[name] ?? new RegExp(`const ${name}(?::\\s*u32)? = ([^;]+);`).exec(kernel.wgsl)?.[1]);
    if (/^\d+u?$/.test(value ?? '')) return parseInt(value, 10);
    if (!value?.includes(' * ')) throw new Error(`${kernel.file} ${kernel.entry}: workgroup size ${size} is ${value}, expected a number`);
    return value.split(' * ').reduce((product, factor) => product * valueOf(factor), 1);
  };
  return valueOf(size);
}

/**
 * One row a dispatch. `estimate` is what the dispatch costs plus its operations at the share of a processor's rate that one workgroup
 * reaches (`efficiency`), or its bytes. `floor` is the longest of what every dispatch takes, its bytes at the adapter's bandwidth, and its
 * operations at the rate of the processors that its workgroups can occupy; `full` the same with all processors; `lost` is the difference.
 * An op's operations are its products' in equal parts (an attention's are of one size); where it has none, those of its dispatch with the
 * most lanes, helpers apart. `alone` is the estimate of its calls, were each a dispatch as those of a profile are.
 */
export function sheetOf(dispatches, { processors, gflops, gbs, dispatch_us, efficiency }) {
  const ops = new Map(); // the calls of each op
  const made = dispatches.map((d) => {
    const lanes = lanesOf(d);
    const calls = d.calls.map(({ kernel, grid, op }) => {
      const workgroups = grid[0] * grid[1] * grid[2];
      const call = { kernel: kernel.entry, groups: workgroups, lanes: workgroups * lanes, flops: 0 };
      ops.set(op, [...(ops.get(op) ?? []), call]);
      return call;
    });
    return { d, calls, groups: d.grid[0] * d.grid[1] * d.grid[2], lanes };
  });
  for (const [{ flops }, calls] of ops) {
    const products = calls.filter(({ kernel }) => PRODUCT.test(kernel));
    for (const call of products) call.flops = flops / products.length;
    if (products.length > 0) continue;
    const workers = calls.filter(({ kernel }) => !HELPER.test(kernel));
    (workers.length > 0 ? workers : calls).reduce((most, call) => (call.lanes > most.lanes ? call : most)).flops = flops;
  }
  // A quarter of the processors can fill the memory bus.
  const moved = (bytes, share) => bytes / gbs / 1e3 / Math.min(1, 4 * share);
  const work = ({ bytes, flops, groups }) => {
    const share = Math.min(1, groups / processors);
    return Math.max(moved(bytes, share), flops / gflops / 1e3 / share / efficiency);
  };
  return made.map(({ d, calls, groups, lanes }) => {
    const flops = calls.reduce((sum, call) => sum + call.flops, 0);
    const us = (share) => Math.max(dispatch_us, moved(d.bytes, share), flops / gflops / 1e3 / share);
    const floor = us(Math.min(1, groups / processors)),
      full = us(1);
    return {
      label: d.label,
      kernel: calls[0].kernel,
      calls: calls.length,
      groups,
      lanes: groups * lanes,
      bytes: d.bytes,
      flops,
      floor,
      full,
      lost: floor - full,
      estimate: dispatch_us + work({ bytes: d.bytes, flops, groups }),
      alone: calls.reduce((sum, call) => sum + dispatch_us + work({ ...call, bytes: (d.bytes * call.groups) / groups }), 0),
    };
  });
}

/** Rows by kernel, dearest first. */
export function byKernel(rows) {
  const kernels = new Map();
  for (const row of rows) {
    const sum = kernels.get(row.kernel) ?? { kernel: row.kernel, dispatches: 0, calls: 0, floor: 0, lost: 0, estimate: 0, alone: 0 };
    const runs = row.runs ?? 1;
    sum.dispatches += runs;
    for (const key of ['calls', 'floor', 'lost', 'estimate', 'alone']) sum[key] += row[key] * runs;
    kernels.set(row.kernel, sum);
  }
  return [...kernels.values()].sort((a, b) => b.floor - a.floor);
}
