// SPDX-License-Identifier: MIT
// Weight files that somebody damaged or made to do harm: each is read, or refused by a typed error, in bounded time and memory.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { VoxelgradError } from '../../src/errors.ts';
import { crc32 } from '../../src/files/crc.ts';
import { parsePth } from '../../src/files/pth.ts';
import { encodeSafetensors, parseSafetensors } from '../../src/files/safetensors.ts';
import { mutateBytes, mutateJson, random, type Random } from '../campaign.ts';
import { cpuSeconds } from '../probe.ts';

const golden = (name: string): Uint8Array => readFileSync(new URL(`../golden/pth/${name}`, import.meta.url));
const PTH = [
  'zip.pth',
  'legacy.pth',
  'protocol4.pth',
  'deflated.pth',
  'zip64.pth',
  'checkpoint.pth',
  'scheduler.pth',
  'evil_system.pth',
].map(golden);
const SAFETENSORS = encodeSafetensors(
  new Map([
    ['w', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ['n', { dtype: 'I64', shape: [], data: BigInt64Array.of(7n) }],
    ['h', { dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0) }],
  ]),
  { format: 'pt' },
);

/** A zip of one stored pickle: checksums would refuse a damaged one before the pickle is looked at. */
export function zipOf(pickle: Uint8Array): Buffer {
  const name = 'a/data.pkl',
    local = Buffer.alloc(30 + name.length),
    central = Buffer.alloc(46 + name.length),
    end = Buffer.alloc(22);
  local.writeUInt32LE(0x04034b50);
  local.writeUInt16LE(name.length, 26);
  local.write(name, 30);
  central.writeUInt32LE(0x02014b50);
  central.writeUInt32LE(crc32(pickle), 16);
  central.writeUInt32LE(pickle.length, 20);
  central.writeUInt32LE(pickle.length, 24);
  central.writeUInt16LE(name.length, 28);
  central.write(name, 46);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length + pickle.length, 16);
  return Buffer.concat([local, pickle, central, end]);
}

const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
const OPCODES = [
  '(',
  '0',
  '1',
  '2',
  'N',
  '\x88',
  'K\x01',
  'K\x02',
  'J\xff\xff\xff\xff',
  'J\xff\xff\xff\x7f',
  '\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f',
  'G\x7f\xf0\x00\x00\x00\x00\x00\x00',
  'X\x01\x00\x00\x00a',
  'X\x07\x00\x00\x00storage',
  'X\x01\x00\x00\x000',
  'X\x03\x00\x00\x00cpu',
  ')',
  ']',
  '}',
  '\x8f',
  't',
  'l',
  'd',
  '\x85',
  '\x86',
  '\x87',
  'a',
  'e',
  's',
  'u',
  'q\x00',
  'q\x01',
  'q\x02',
  'h\x00',
  'h\x01',
  'h\x02',
  '\x94',
  'R',
  '\x81',
  'b',
  'Q',
  'ctorch\nFloatStorage\n',
  'ctorch._utils\n_rebuild_tensor_v2\n',
  'ctorch._utils\n_rebuild_parameter\n',
  'ccollections\nOrderedDict\n',
  'ccollections\nCounter\n',
  'ccollections\ndefaultdict\n',
  'c_codecs\nencode\n',
  'cnumpy\ndtype\n',
  'cnumpy.core.multiarray\nscalar\n',
  'ctorch\nSize\n',
  'ctorch\ndevice\n',
  'c__builtin__\nset\n',
  'cargparse\nNamespace\n',
  'cos\nsystem\n',
];

/** Opcodes at random, with a favour for doubling what is there and for calling. */
function pickle(r: Random): Buffer {
  const parts = ['\x80\x02'];
  for (let left = 2 + r.below(120); left > 0; left--) {
    if (r.chance(0.15)) parts.push('q\x05h\x05\x86'.repeat(1 + r.below(40)));
    else if (r.chance(0.1)) parts.push(`${r.of(OPCODES.slice(41))}${r.of([')', '}\x85', ']\x85', 'h\x05\x85', '(h\x05h\x05t'])}R`);
    else parts.push(r.of(OPCODES));
  }
  return latin(`${parts.join('')}${r.of(['.', '}X\x01\x00\x00\x00wK\x01s.', ''])}`);
}

function hostile(r: Random): [read: (bytes: Uint8Array) => unknown, bytes: Buffer] {
  switch (r.below(5)) {
    case 0:
      return [parseSafetensors, mutateBytes(SAFETENSORS, r)];
    case 1: {
      const length = Number(new DataView(SAFETENSORS.buffer).getBigUint64(0, true));
      const header = latin(mutateJson(JSON.parse(new TextDecoder().decode(SAFETENSORS.subarray(8, 8 + length))), r));
      const size = Buffer.alloc(8);
      size.writeBigUInt64LE(BigInt(header.length));
      return [parseSafetensors, Buffer.concat([size, header, SAFETENSORS.subarray(8 + length)])];
    }
    case 2:
      return [parsePth, zipOf(pickle(r))];
    case 3:
      return [parsePth, pickle(r)];
    default:
      return [parsePth, mutateBytes(r.of(PTH), r)];
  }
}

/** Tries `count` inputs from `seed` on. */
export function tryWeights(seed: number, count: number): void {
  let refused = 0;
  const memory = process.resourceUsage().maxRSS;
  for (let i = seed; i < seed + count; i++) {
    const [read, bytes] = hostile(random(i));
    const begun = cpuSeconds();
    try {
      read(bytes);
    } catch (error) {
      if (!(error instanceof VoxelgradError)) throw new Error(`input ${i}: ${String(error)}`, { cause: error });
      expect(error.message.length, `input ${i}`).toBeLessThan(9000);
      expect(error.message, `input ${i}`).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/);
      refused++;
    }
    expect(cpuSeconds() - begun, `seconds of input ${i}`).toBeLessThan(5);
  }
  expect(refused).toBeGreaterThan(count / 2);
  expect((process.resourceUsage().maxRSS - memory) / 1024, 'MiB').toBeLessThan(600);
}
