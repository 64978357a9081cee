// SPDX-License-Identifier: MIT
// The frozen form of a scheduled step: pipelines, bind groups and Params, made once and only replayed.
import type { Device } from '../gpu/device.ts';
import type { KernelDef } from '../gpu/kernel.ts';
import { packParams } from '../gpu/params.ts';
import type { Call } from '../gpu/profile.ts';
import { variantKey } from '../gpu/pipelines.ts';
import { bindEntries, boundBytes } from './eager.ts';
import type { Place, schedule } from './schedule.ts';
import { Storage } from './tensor.ts';

type Step = ReturnType<typeof schedule>['steps'][number];

/** One dispatch on paper: what an adapter will be asked for. */
export interface PlannedDispatch {
  readonly label: string;
  readonly kernel: KernelDef;
  readonly spec: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, number>>;
  /** Workgroups. */
  readonly grid: readonly [number, number, number];
  /** Of all that it binds, once each. */
  readonly bytes: number;
  /** What it does, and for which op: with operations, and dispatches of their own were none of them joined (beside.ts). */
  readonly calls: readonly {
    readonly kernel: KernelDef;
    readonly grid: readonly [number, number, number];
    readonly op: { readonly flops: number; readonly dispatches: readonly unknown[] };
  }[];
}

/** What goes when the program goes. */
export interface Owned {
  release(): void;
}

/** Work per submit: a driver watchdog must not fire on a slow adapter. */
const FLOPS_PER_SUBMIT = 2e11;
/** Dispatches per submit: a GPU starts on the first while the host records the next. */
const DISPATCHES_PER_SUBMIT = 500;

/** Compiles every distinct pipeline in parallel, builds every bind group, packs every Params into one uniform arena. */
export async function freeze(
  device: Device,
  steps: readonly Step[],
  storageOf: (place: Place) => Storage,
  owned: Owned[],
  onProgress?: (done: number, total: number) => void,
): Promise<{ submits: Call[][]; listing: PlannedDispatch[]; pipelines: number }> {
  const variants = new Map(steps.flatMap((s) => s.dispatches).map((d) => [variantKey(d), d]));
  let done = 0;
  const compiled = new Map(
    await Promise.all(
      [...variants].map(async ([key, d]) => {
        const pipeline = await device.pipelines.compile(d);
        onProgress?.(++done, variants.size);
        return [key, pipeline] as const;
      }),
    ),
  );

  const { params, offsetOf } = packArena(steps);
  const arena =
    // UNIFORM | COPY_DST
    params.byteLength > 0 ? new Storage(device, device.alloc(params.byteLength, 'params', 0x40 | 0x8), 0, params.byteLength, true) : null;
  if (arena) {
    owned.push(arena);
    device.gpu.queue.writeBuffer(arena.buffer, 0, params as Uint8Array<ArrayBuffer>);
  }

  const submits: Call[][] = [[]];
  const listing: PlannedDispatch[] = [];
  let flops = 0;
  for (const step of steps) {
    if (flops > FLOPS_PER_SUBMIT || submits.at(-1)!.length >= DISPATCHES_PER_SUBMIT) {
      submits.push([]);
      flops = 0;
    }
    flops += step.flops;
    for (const d of step.dispatches) {
      const pipeline = compiled.get(variantKey(d))!;
      const { label } = step;
      const uniform = d.def.params ? { buffer: arena!.buffer, offset: offsetOf(d), size: d.def.params.size } : null;
      const entries = bindEntries(device, d, (name) => storageOf(step.place(d, name)), uniform, label);
      const group = device.gpu.createBindGroup({ label, layout: pipeline.getBindGroupLayout(0), entries });
      const bytes = step.bytes ?? boundBytes(d, (name) => storageOf(step.place(d, name)));
      submits.at(-1)!.push({ pipeline, group, x: d.grid[0], y: d.grid[1], z: d.grid[2], label: `${label} ${d.def.entry}`, bytes });
      listing.push({
        label,
        kernel: d.def,
        spec: d.spec,
        overrides: d.overrides,
        grid: d.grid,
        bytes,
        calls: (step.calls ?? [{ step, dispatch: d }]).map((c) => ({ kernel: c.dispatch.def, grid: c.dispatch.grid, op: c.step })),
      });
    }
  }
  return { submits: submits.filter((calls) => calls.length > 0), listing, pipelines: variants.size };
}

/** Every distinct Params struct once, at offsets a uniform binding may have (256 bytes). */
function packArena(steps: readonly Step[]): { params: Uint8Array; offsetOf: (d: Step['dispatches'][number]) => number } {
  const offsets = new Map<string, number>();
  const keys = new Map<unknown, string>();
  const chunks: Uint8Array[] = [];
  let end = 0;
  for (const d of steps.flatMap((s) => s.dispatches)) {
    if (!d.def.params) continue;
    const bytes = new Uint8Array(packParams(d.def, d.params));
    const key = bytesKey(bytes);
    keys.set(d, key);
    if (offsets.has(key)) continue;
    offsets.set(key, end);
    const padded = new Uint8Array(Math.ceil(bytes.length / 256) * 256);
    padded.set(bytes);
    chunks.push(padded);
    end += padded.length;
  }
  const params = new Uint8Array(end);
  let at = 0;
  for (const chunk of chunks) {
    params.set(chunk, at);
    at += chunk.length;
  }
  return { params, offsetOf: (d) => offsets.get(keys.get(d)!)! };
}

function bytesKey(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
