// SPDX-License-Identifier: MIT
// Compiles kernels on Dawn's null backend: no GPU, real WGSL errors, default limits. One spec is varied at a time from the defaults.
import { create } from 'webgpu';

/** Null devices are cheap; `close` ends the process's interest in the one made here. */
export async function openNull() {
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const adapter = await gpu.requestAdapter();
  const device = await adapter.requestDevice({ requiredFeatures: [...adapter.features] }); // limits: the defaults, on purpose
  const buffer = device.createBuffer({ size: 65536, usage: GPU_STORAGE | GPU_UNIFORM });
  return { gpu, device, buffer, close: () => device.destroy() };
}
const GPU_UNIFORM = 0x40,
  GPU_STORAGE = 0x80;

/** @returns {Promise<string[]>} problems, as `kernels/FILE:line:col: message` */
export async function validate({ device, buffer }, kernel, wgsl, { specialise, sourceLine }) {
  const problems = new Set();
  for (const { spec, entries } of variants(kernel)) {
    const label = Object.entries(spec)
      .map(([k, v]) => ` [${k} = ${v}]`)
      .join('');
    const code = specialise({ ...entries[0], file: kernel.file, wgsl }, spec);
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    const scope = await device.popErrorScope();
    const errors = messages.filter((m) => m.type === 'error');
    for (const m of errors) problems.add(`${sourceLine(kernel.file, code, m.lineNum)}:${m.linePos}: ${m.message}${label}`);
    if (scope && !errors.length) problems.add(`kernels/${kernel.file}:1:1: ${scope.message}${label}`);
    if (scope && !label) break; // the defaults are broken: the other variants would say the same again
    if (scope) continue;
    for (const entry of entries) {
      const problem = await pipeline(device, buffer, module, entry);
      // A kernel that says what it needs may pass the default limits; it has been parsed and type-checked all the same.
      // Subgroup matrices need whole subgroups, and the null adapter claims 128 lanes: a workgroup for smaller ones is parsed and
      // type-checked only.
      if (
        problem &&
        !(kernel.limits.length && /limit|exceed|larger than|maximum/i.test(problem)) &&
        !/multiple of the device maxSubgroupSize/.test(problem)
      ) {
        problems.add(`${at(kernel.file, code, entry.entry, sourceLine)}:1: ${entry.entry}: ${problem}${label}`);
      }
    }
  }
  return [...problems];
}

async function pipeline(device, buffer, module, { entry, bindings }) {
  try {
    const pipe = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: entry } });
    if (!bindings.length) return undefined;
    // An automatic layout holds exactly what the entry point uses: this fails if reflection said more or less.
    device.pushErrorScope('validation');
    device.createBindGroup({
      layout: pipe.getBindGroupLayout(0),
      entries: bindings.map((b) => ({ binding: b.binding, resource: { buffer } })),
    });
    const wrong = await device.popErrorScope();
    return wrong
      ? `bindings found (${bindings.map((b) => b.name).join(', ')}) are not those used: ${wrong.message.split('\n')[0]}`
      : undefined;
  } catch (e) {
    return e.message.trim().split('\n')[0];
  }
}

function at(file, code, entry, sourceLine) {
  const line = code.split('\n').findIndex((l) => new RegExp(`\\bfn\\s+${entry}\\b`).test(l)) + 1;
  return sourceLine(file, code, line);
}

function variants({ entries }) {
  const out = [{ spec: {}, entries }];
  const seen = new Map(entries.flatMap((e) => Object.entries(e.spec)));
  for (const [name, values] of seen) {
    for (const value of values[0] === '*' ? [] : values.slice(1))
      out.push({ spec: { [name]: value }, entries: entries.filter((e) => name in e.spec) });
  }
  return out;
}
