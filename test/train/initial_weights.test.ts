// SPDX-License-Identifier: MIT
// Weights to start from, in the three forms that users have them.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError, StateDictError } from '../../src/errors.ts';
import { encodeSafetensors, type HostTensor } from '../../src/files/safetensors.ts';
import type { Module } from '../../src/nn/module.ts';
import { suitPlan } from '../../src/train/initial_weights.ts';
import { parsePlan } from '../../src/train/plan.ts';
import { makeNetworks } from '../../src/train/networks.ts';
import { networkList } from '../../src/methods/method.ts';
import type { SanetNetworks } from '../../src/methods/sanet/networks.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';
import { scratch } from '../data/helpers.ts';
import { initialiseFrom, slicesAlone, tinyPlan } from './tiny_run.ts';

const root = scratch();
/** The smallest SAM beside bare 2D networks. */
const small = (plan: SanetPlan): void => {
  slicesAlone(plan);
  Object.assign(plan.method.sam, { enabled: true, size: 32, width: 48, depth: 1, heads: 1 });
};
const plan = tinyPlan(small);
/** Values that no initialiser draws, for every tensor of a network. */
function dict(network: 'sam' | 'transverse' = 'sam'): Map<string, HostTensor> {
  const named = [...makeNetworks(plan)[network].namedParameters()];
  return new Map(named.map(([key, p], i) => [key, { dtype: 'F32', shape: p.torchShape, data: new Float32Array(p.size).fill(i + 0.5) }]));
}
/** Networks whose small ones have values; SAM's take a second to draw. */
function networks(): Required<SanetNetworks> {
  const nets = makeNetworks(plan) as Required<SanetNetworks>;
  for (const { name, net } of networkList(nets)) if (name !== 'sam') net.initialise(plan.training.seed, `${name}.`);
  return nets;
}
const file = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(root, name), bytes);
  return join(root, name);
};
const safetensors = (name: string, tensors: ReadonlyMap<string, HostTensor>, metadata = {}): string =>
  file(name, encodeSafetensors(tensors, metadata));
const prefixed = (prefix: string, tensors: ReadonlyMap<string, HostTensor>): [string, HostTensor][] =>
  [...tensors].map(([key, t]) => [prefix + key, t]);

/** torch.save's legacy container: pickles of magic, protocol, system, object and storage keys, then the storages. */
function legacyPth(tensors: ReadonlyMap<string, HostTensor>): Uint8Array {
  const int = (n: number): string => `J${String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255)}`;
  const text = (s: string): string => `X${int(s.length).slice(1)}${s}`;
  const tuple = (numbers: readonly number[]): string => `(${numbers.map(int).join('')}t`;
  const object = [...tensors]
    .map(([name, { shape, data }], i) => {
      const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
      const storage = `(${text('storage')}ctorch\nFloatStorage\n${text(String(i))}${text('cpu')}${int(data.length)}NtQ`;
      return (
        `${text(name)}ctorch._utils\n_rebuild_tensor_v2\n(${storage}${int(0)}${tuple(shape)}` +
        `${tuple(strides)}\x89ccollections\nOrderedDict\n)RtR`
      );
    })
    .join('');
  const pickles = [
    '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.',
    '\x80\x02M\xe9\x03.',
    `\x80\x02}(${text('little_endian')}\x88u.`,
    `\x80\x02}${text('model_state_dict')}}(${object}us.`,
    `\x80\x02](${[...tensors].map((_, i) => text(String(i))).join('')}e.`,
  ];
  const storages = [...tensors.values()].flatMap(({ data }) => {
    const count = Buffer.alloc(8);
    count.writeBigUInt64LE(BigInt(data.length));
    return [count, Buffer.from(data.buffer, data.byteOffset, data.byteLength)];
  });
  return Buffer.concat([Buffer.from(pickles.join(''), 'latin1'), ...storages]);
}

async function sameAs(net: Module, expected: ReadonlyMap<string, HostTensor>): Promise<void> {
  for (const [key, p] of net.namedParameters()) {
    const [own, { data }] = [await p.torchValues(), expected.get(key)!];
    expect([own.length, own[0], own.at(-1)], key).toEqual([data.length, data[0], data.at(-1)]);
  }
}

/** Those whose names begin with `from`, without it. */
const renamed = (tensors: ReadonlyMap<string, HostTensor>, from: string): [string, HostTensor][] =>
  [...tensors].flatMap(([key, t]): [string, HostTensor][] => (key.startsWith(from) ? [[key.slice(from.length), t]] : []));

describe('weights from a file', () => {
  it.each([
    [
      'safetensors of the official names',
      () => safetensors('sam.safetensors', new Map([...dict(), ['pixel_mean', { dtype: 'F32', shape: [1], data: Float32Array.of(0) }]])),
      ['pixel_mean'],
    ],
    ['a .pth checkpoint', () => file('sam.pth', legacyPth(dict())), []],
    ['names that begin with module.', () => safetensors('module.safetensors', new Map(prefixed('module.', dict()))), []],
  ] as const)("%s become SAM's; the others keep theirs", async (_, path, unused) => {
    const nets = networks();
    const before = await nets.transverse.stateDict();
    const found = await initialiseFrom(plan, nets, path());
    expect(found).toMatchObject({ loaded: ['sam'], drawn: ['transverse', 'coronal'], unused });
    await sameAs(nets.sam, dict());
    expect(await nets.transverse.stateDict()).toEqual(before);
  });

  it('go to the network that names begin with', async () => {
    const nets = networks();
    const found = await initialiseFrom(plan, nets, safetensors('2d.safetensors', new Map(prefixed('transverse.', dict('transverse')))));
    expect(found).toMatchObject({ loaded: ['transverse'], drawn: ['sam', 'coronal'] });
    await sameAs(nets.transverse, dict('transverse'));
  });

  it('of our own checkpoints fill every network', async () => {
    const tensors = new Map([
      ...prefixed('sam.', dict()),
      ...prefixed('transverse.', dict('transverse')),
      ...prefixed('coronal.', dict('transverse')),
    ]);
    const nets = networks();
    expect(await initialiseFrom(plan, nets, safetensors('own.safetensors', tensors, { format: 'voxelgrad' }))).toMatchObject({
      loaded: ['sam', 'transverse', 'coronal'],
      drawn: [],
    });
    await sameAs(nets.sam, dict());
  });

  it('are refused with the names of tensors that are missing or of other shapes', async () => {
    const tensors = dict();
    tensors.delete('image_encoder.pos_embed');
    tensors.set('mask_decoder.iou_token.weight', { dtype: 'F32', shape: [1, 3], data: new Float32Array(3) });
    const error = (await initialiseFrom(plan, makeNetworks(plan), safetensors('wrong.safetensors', tensors)).catch(
      (e: unknown) => e,
    )) as StateDictError;
    expect(error).toBeInstanceOf(StateDictError);
    expect(error.message).toMatch(/wrong\.safetensors: its weights do not fit[^]*sam: image_encoder\.pos_embed is missing; /);
    expect(error.message).toContain('is missing; mask_decoder.iou_token.weight has shape [1,3], expected [1,384]');
  });

  it('are refused where nothing fits, and where there is no file', async () => {
    await expect(
      initialiseFrom(
        plan,
        makeNetworks(plan),
        safetensors('other.safetensors', new Map([['weight', { dtype: 'F32', shape: [1], data: Float32Array.of(0) }]])),
      ),
    ).rejects.toThrow(/none of the tensors of sam, transverse, coronal, got weight/);
    await expect(initialiseFrom(plan, makeNetworks(plan), join(root, 'none.pth'))).rejects.toThrow(DataError);
  });

  it.each(['', 'image_encoder.'])("of SAM's image encoder alone (%s) leave the rest of it as drawn", async (prefix) => {
    const tensors = new Map(renamed(dict(), 'image_encoder.').map(([key, t]) => [prefix + key, t]));
    const nets = networks();
    expect(await initialiseFrom(plan, nets, safetensors('encoder.safetensors', tensors))).toMatchObject({
      loaded: ['sam.image_encoder'],
      drawn: ['sam.prompt_encoder', 'sam.mask_decoder', 'transverse', 'coronal'],
      unused: [],
    });
    await sameAs(nets.sam.image_encoder, new Map(renamed(dict(), 'image_encoder.')));
    tensors.delete(`${prefix}pos_embed`);
    await expect(initialiseFrom(plan, networks(), safetensors('cut.safetensors', tensors))).rejects.toThrow(
      /image_encoder\.pos_embed is missing/,
    );
  });

  it("of torchvision's ResNet become both 2D encoders', its three first channels summed, its classifier unused", async () => {
    const encoder = renamed(dict('transverse'), 'encoder.');
    const rgb = encoder.map(([key, t]): [string, HostTensor] => {
      if (key !== 'conv1.weight') return [key, t];
      const [o, , h, w] = t.shape as [number, number, number, number];
      return [
        key,
        { ...t, shape: [o, 3, h, w], data: Float32Array.from({ length: o * 3 * h * w }, (_, i) => Math.floor(i / (h * w)) % 3) },
      ];
    });
    const extra: [string, HostTensor][] = ['fc.weight', 'bn1.num_batches_tracked'].map((key) => [
      key,
      { dtype: 'F32', shape: [1], data: Float32Array.of(1) },
    ]);
    const nets = networks();
    const found = await initialiseFrom(plan, nets, safetensors('resnet.safetensors', new Map([...rgb, ...extra])));
    expect(found.loaded).toEqual(['transverse.encoder', 'coronal.encoder']);
    expect(found.drawn).toEqual(
      expect.arrayContaining(['sam', 'transverse.lat', 'transverse.plain_head', 'coronal.lat', 'coronal.plain_head']),
    );
    expect(found.unused).toEqual(['fc.weight']);
    for (const plane of ['transverse', 'coronal'] as const) {
      const state = await nets[plane].encoder.stateDict();
      expect(new Set(state.get('conv1.weight')!.data)).toEqual(new Set([3])); // 0 + 1 + 2
      expect(state.get('layer1.0.conv2.weight')!.data[0]).toBe(new Map(encoder).get('layer1.0.conv2.weight')!.data[0]);
    }
    const grouped = tinyPlan((p) => {
      small(p);
      p.method.network2d.norm = 'gn';
    });
    await expect(initialiseFrom(grouped, makeNetworks(grouped), safetensors('resnet.safetensors', new Map(rgb)))).rejects.toThrow(
      /trained with batch norm \(bn1\.running_mean\); got method\.network2d\.norm "gn", expected "bn"/,
    );
  });

  it('of the official SAM-Med3D code are refused by a plan that computes otherwise, and change one that is made for them', async () => {
    const released = new Map(
      [...dict()].map(([key, t]) => {
        if (!key.includes('rel_pos')) return [key, t];
        const shape = [27, t.shape[1]];
        return [key, { ...t, shape, data: new Float32Array(shape[0] * shape[1]) }];
      }),
    );
    const path = safetensors('released.safetensors', released);
    const windowed = tinyPlan((p) => {
      small(p);
      p.method.sam.window = 14;
    });
    await expect(initialiseFrom(windowed, makeNetworks(windowed), path)).rejects.toThrow(
      /got method\.sam\.compatibility "corrected", expected sam\.compatibility "official", sam\.window 14/,
    );
    const made = tinyPlan(slicesAlone);
    made.method.sam.enabled = true;
    const line = suitPlan(made, readFileSync(path), path);
    expect(line).toMatch(/^\S+released\.safetensors: weights of the official SAM-Med3D code: the plan takes/);
    expect(made.method.sam).toMatchObject({ size: 32, width: 48, depth: 1, heads: 1, window: 14, compatibility: 'official' });
    expect(made.data.window).toEqual([-1200, 1000]);
    expect(made.method.network2d.window).toEqual([-1200, 600]);
    parsePlan(made, 'plan');
    expect(await initialiseFrom(made, makeNetworks(made), path)).toMatchObject({ loaded: ['sam'] });
    made.data.window = [-1200, 600];
    expect(() => parsePlan(made, 'plan')).toThrow(/sam\.compatibility: got "official" with data\.window \[-1200, 600\]/);
    expect(suitPlan(tinyPlan(small), readFileSync(safetensors('own_sam.safetensors', dict())), 'own_sam.safetensors')).toBeUndefined();
  });
});
