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
 * most lanes, helpers apart.
 */
export function sheetOf(dispatches, { processors, gflops, gbs, dispatch_us, efficiency }) {
  const rows = dispatches.map((d) => {
    const groups = d.grid[0] * d.grid[1] * d.grid[2];
    return { label: d.label, kernel: d.kernel.entry, groups, lanes: groups * lanesOf(d), bytes: d.bytes, op: d.op, flops: 0 };
  });
  for (let at = 0; at < rows.length; at += rows[at].op.dispatches) {
    const own = rows.slice(at, at + rows[at].op.dispatches);
    const products = own.filter(({ kernel }) => PRODUCT.test(kernel));
    for (const row of products) row.flops = own[0].op.flops / products.length;
    if (products.length > 0) continue;
    const workers = own.filter(({ kernel }) => !HELPER.test(kernel));
    (workers.length > 0 ? workers : own).reduce((most, row) => (row.lanes > most.lanes ? row : most)).flops = own[0].op.flops;
  }
  return rows.map(({ op: _op, ...row }) => {
    const share = Math.min(1, row.groups / processors);
    const moved = (part) => row.bytes / gbs / 1e3 / Math.min(1, 4 * part); // a quarter of the processors can fill the memory bus
    const us = (part) => Math.max(dispatch_us, moved(part), row.flops / gflops / 1e3 / part);
    const floor = us(share),
      full = us(1);
    return {
      ...row,
      floor,
      full,
      lost: floor - full,
      estimate: dispatch_us + Math.max(moved(share), row.flops / gflops / 1e3 / share / efficiency),
    };
  });
}

/** Rows by kernel, dearest first. */
export function byKernel(rows) {
  const kernels = new Map();
  for (const row of rows) {
    const sum = kernels.get(row.kernel) ?? { kernel: row.kernel, dispatches: 0, floor: 0, lost: 0, estimate: 0 };
    kernels.set(row.kernel, {
      ...sum,
      dispatches: sum.dispatches + (row.runs ?? 1),
      floor: sum.floor + row.floor * (row.runs ?? 1),
      estimate: sum.estimate + row.estimate * (row.runs ?? 1),
      lost: sum.lost + row.lost * (row.runs ?? 1),
    });
  }
  return [...kernels.values()].sort((a, b) => b.floor - a.floor);
}
