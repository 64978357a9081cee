// SPDX-License-Identifier: MIT
// ITK-Wasm (an optional dependency, loaded at the first use), which reads DICOM slices.
import { DataError } from '../errors.ts';
import { assertOrthogonal, axisVector, type Triple } from './geometry.ts';
import type { Volume, VoxelArray } from './volume.ts';

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
