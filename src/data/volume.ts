// SPDX-License-Identifier: MIT
// A volume in memory, and its files: NIfTI, NRRD, MetaImage through ITK-Wasm (an optional dependency, loaded at the first use).
import { mkdtemp, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from '../errors.ts';
import { assertReplaceable, discard, folderAside } from '../files/atomic.ts';
import { unreadable } from '../files/regular.ts';
import { assertOrthogonal, axisVector, type Geometry, type Triple } from './geometry.ts';
import { checkFile, notFinite, volumeEnding, VOLUME_ENDINGS } from './header.ts';

/** Voxel storage. 64-bit integers in files become float64. */
export type VoxelArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array;

/** Voxels [D, H, W], W fastest, and where they lie. */
export interface Volume extends Geometry { readonly data: VoxelArray }

/** The part of ITK-Wasm's image that is used (its types are not needed at compile time). */
interface ItkImage {
  imageType: { dimension: number; componentType: string; pixelType: string; components: number };
  name: string; origin: number[]; spacing: number[]; direction: Float64Array; size: number[];
  data: VoxelArray | BigInt64Array | BigUint64Array; metadata: Map<string, unknown>;
}
interface ImageIo {
  readImageNode(file: string): Promise<ItkImage>;
  writeImageNode(image: ItkImage, file: string, options: { useCompression: boolean }): Promise<void>;
  gdcmReadImageNode(file: string): Promise<{ couldRead: boolean; image: ItkImage }>;
}

let imageIo: Promise<ImageIo> | undefined;
let busy = 0;
let log = console.log;

/**
 * When a reader fails, ITK-Wasm prints to stdout, which belongs to our results, and sets the exit code of the process. Its words
 * go to stderr instead; what the process returns is for the caller to say.
 */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  if (busy++ === 0) {
    log = console.log;
    console.log = console.error;
  }
  const { exitCode } = process;
  try {
    return await work();
  } finally {
    process.exitCode = exitCode;
    if (--busy === 0) console.log = log;
  }
}

/** ITK-Wasm's image readers and writers, loaded once. DataError saying what to install if the package is absent. */
export function loadImageIo(file: string): Promise<ImageIo> {
  imageIo ??= (import('@itk-wasm/image-io') as unknown as Promise<ImageIo>).then((io) => ({
    readImageNode: (path) => quietly(() => io.readImageNode(path)),
    writeImageNode: (image, path, options) => quietly(() => io.writeImageNode(image, path, options)),
    gdcmReadImageNode: (path) => quietly(() => io.gdcmReadImageNode(path)),
  }));
  return imageIo.catch((cause) => {
    imageIo = undefined;
    throw new DataError(`${file}: the package that reads and writes volumes is not installed.`, 'Run: npm install @itk-wasm/image-io@1.6.1', { cause });
  });
}

/** An ITK image (x fastest) as a Volume. DataError unless it is a 3D scalar with perpendicular axes and positive spacing. */
export function volumeFromItk(file: string, image: ItkImage): Volume {
  const rank = image.size.length;
  if (rank < 3 || image.size.slice(3).some((n) => n !== 1) || image.imageType.components !== 1) {
    throw new DataError(`${file}: not a 3D scalar volume, got size ${image.size.join(' x ')} with ${image.imageType.components} values a voxel, expected 3 dimensions and 1 value.`);
  }
  const [x, y, z] = image.spacing;
  const stored = image.data;
  const volume: Volume = {
    data: stored instanceof BigInt64Array || stored instanceof BigUint64Array ? Float64Array.from(stored, Number) : stored,
    size: [image.size[2], image.size[1], image.size[0]],
    spacing: [z, y, x],
    origin: image.origin.slice(0, 3) as Triple,
    // A 4D file with one time point has a 4x4 matrix: the first three rows and columns. + 0 removes negative zeros.
    direction: [0, 1, 2].flatMap((row) => [0, 1, 2].map((column) => image.direction[row * rank + column] + 0)),
  };
  if (volume.spacing.some((s) => !(s > 0) || !Number.isFinite(s)) || volume.origin.some((o) => !Number.isFinite(o))) {
    throw new DataError(`${file}: spacing or origin is not usable, got spacing ${image.spacing.join(', ')} mm and origin ${image.origin.join(', ')}, expected positive and finite numbers.`, 'Set the voxel spacing in the header.');
  }
  assertOrthogonal(file, [2, 1, 0].map((axis) => axisVector(volume, axis)));
  return volume;
}

function assertFinite(file: string, volume: Volume): void {
  const { data, size } = volume;
  if (!(data instanceof Float32Array) && !(data instanceof Float64Array)) return;
  let count = 0, first = -1;
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) { if (count++ === 0) first = i; }
  if (count > 0) throw notFinite(file, count, first, [size[2], size[1], size[0]]);
}

/**
 * Reads a volume from a file (`VOLUME_ENDINGS`) or a folder holding one DICOM series, in the orientation it is stored in.
 * DataError naming the file: missing, truncated, corrupt, not 3D or scalar, too large, sheared, NaN or infinities.
 */
export async function readVolume(file: string): Promise<Volume> {
  const path = resolve(file);
  const isFolder = await stat(path).then((s) => s.isDirectory(), (cause) => { throw unreadable(file, cause); });
  if (isFolder) return (await import('./dicom.ts')).readDicomSeries(file);
  const header = await checkFile(file);
  const io = await loadImageIo(file);
  let image: ItkImage;
  try {
    image = header.voxels ? await withInflated(file, header.inflate!.head, header.voxels, io.readImageNode) : await io.readImageNode(path);
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${file}: the decoder gave up: ${firstLine(cause)}.`, 'Convert the file with another tool and try again.', { cause });
  }
  const volume = volumeFromItk(file, image);
  assertFinite(file, volume);
  const { wrongIntercept } = header;
  if (wrongIntercept !== undefined) for (let i = 0; i < volume.data.length; i++) volume.data[i] -= wrongIntercept;
  return volume;
}

/** Runs `read` on a temporary file with the voxels that were inflated here, under the header that fits them. */
async function withInflated<T>(file: string, head: string, voxels: Buffer, read: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'voxelgrad-'));
  try {
    const path = join(folder, 'inflated.mha');
    const handle = await open(path, 'w');
    try {
      await handle.write(head, null, 'latin1');
      await handle.writeFile(voxels);
    } catch (cause) {
      throw new DataError(`${file}: cannot be inflated into ${folder}: ${(cause as NodeJS.ErrnoException).code}.`, 'Free space there, or store the scan as .nii.gz.', { cause });
    } finally {
      await handle.close();
    }
    return await read(path);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

function firstLine(cause: unknown): string {
  if (typeof cause === 'number') return 'an internal error of the decoder'; // a C++ exception without its text
  const lines = String((cause as Error)?.message ?? cause).split('\n').map((line) => line.trim()).filter(Boolean);
  return (lines.find((line) => /description|error/i.test(line)) ?? lines[0] ?? 'no reason given').slice(0, 300);
}

const COMPONENT_TYPES: Record<string, string> = {
  Int8Array: 'int8', Uint8Array: 'uint8', Int16Array: 'int16', Uint16Array: 'uint16', Int32Array: 'int32', Uint32Array: 'uint32',
  Float32Array: 'float32', Float64Array: 'float64',
};

/**
 * Writes a volume; the name's ending chooses the format, compressed unless `compress` is false. The file is written and
 * checked in a temporary folder beside it and then renamed, so that a reader never meets half a file. DataError naming it.
 */
export async function writeVolume(file: string, volume: Volume, compress = true): Promise<void> {
  const path = resolve(file), folder = dirname(path);
  if (!volumeEnding(file)) throw new DataError(`${file}: unknown kind of volume, got "${basename(file)}", expected a name ending in ${VOLUME_ENDINGS.join(', ')}.`);
  const voxels = volume.size[0] * volume.size[1] * volume.size[2];
  if (volume.data.length !== voxels) throw new DataError(`${file}: wrong number of voxels, got ${volume.data.length}, expected ${volume.size.join('x')} = ${voxels}.`);
  const io = await loadImageIo(file);
  const image: ItkImage = {
    imageType: { dimension: 3, componentType: COMPONENT_TYPES[volume.data.constructor.name], pixelType: 'Scalar', components: 1 },
    name: 'image', origin: [...volume.origin], spacing: [...volume.spacing].reverse(), direction: Float64Array.from(volume.direction),
    size: [...volume.size].reverse(), data: volume.data, metadata: new Map(),
  };
  let temporary: string | undefined;
  try {
    assertReplaceable(path);
    temporary = folderAside(join(folder, `writing-${basename(path)}`));
    await io.writeImageNode(image, join(temporary, basename(path)), { useCompression: compress });
    await checkFile(join(temporary, basename(path)));
    // A .mhd's data file goes first: its header must never point at nothing.
    const parts = (await readdir(temporary)).sort((a, b) => Number(a === basename(path)) - Number(b === basename(path)));
    for (const part of parts) await rename(join(temporary, part), join(folder, part));
  } catch (cause) {
    throw new DataError(`${file}: cannot be written: ${await writeFailure(folder, volume.data.byteLength, cause)}.`, 'Free space or choose another output folder; nothing was left behind.', { cause });
  } finally {
    if (temporary !== undefined) discard(temporary);
  }
}

/** Why a write failed. The decoder does not say that a disk is full, so the free space is looked at. */
async function writeFailure(folder: string, bytes: number, cause: unknown): Promise<string> {
  const code = (cause as NodeJS.ErrnoException)?.code;
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return 'no permission to write there';
  const free = await statfs(folder).then((s) => s.bavail * s.bsize, () => Infinity);
  if (code === 'ENOSPC' || free < bytes) return 'the disk is full';
  return cause instanceof DataError || code === undefined ? firstLine(cause) : code;
}
