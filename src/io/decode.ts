// SPDX-License-Identifier: MIT
// From the bytes of an image file to a volume. Runs in Node and in a page alike.
import type { Volume } from '../data/volume.ts';
import { DataError } from '../errors.ts';
import { volumeEnding, VOLUME_ENDINGS } from './endings.ts';
import { besideName, HEAD_BYTES } from './header_text.ts';
import { readMetaImage } from './metaimage.ts';
import { isLocal, parseMetaFields } from './metaimage_fields.ts';
import { readNifti } from './nifti.ts';
import { readNrrd } from './nrrd.ts';
import { parseNrrdFields } from './nrrd_fields.ts';
import { say, type ByteSource, type Input, type Remark } from './source.ts';

/** The DataError for a name that is none of a volume's. */
export function unknownKind(file: string): DataError {
  const name = file.split(/[\\/]/).pop()!,
    pair = /\.(hdr|img)(\.gz)?$/i.test(name);
  return new DataError(
    `${file}: unknown kind of volume, got "${name}", expected a name ending in ${VOLUME_ENDINGS.join(', ')} or a folder of DICOM files.`,
    pair ? 'Convert the pair .hdr and .img to one .nii.gz file.' : undefined,
  );
}

/** The name of the file beside `file` that holds its voxels, if they are not in `file` itself. DataError as `decodeVolume`. */
export async function dataFileOf(file: string, source: ByteSource): Promise<string | undefined> {
  const ending = volumeEnding(file);
  if (!ending) throw unknownKind(file);
  if (ending === '.nii' || ending === '.nii.gz') return undefined;
  const head = await source.read(0, Math.min(source.size, HEAD_BYTES));
  const meta = ending === '.mha' || ending === '.mhd',
    name = meta ? parseMetaFields(file, head).dataFile : parseNrrdFields(file, head).fields.get('data file');
  return name === undefined || (meta && isLocal(name)) ? undefined : besideName(file, name);
}

/**
 * Decodes a volume, in the orientation it is stored in; the name's ending chooses the format. Remarks go to `tell`; without it a
 * doubtful one is an error. DataError naming the file: truncated, corrupt, contradictory, not 3D or scalar, too large, sheared, NaN.
 */
export async function decodeVolume(from: Omit<Input, 'tell'> & Partial<Pick<Input, 'tell'>>): Promise<Volume> {
  const { file, tell } = from;
  const ending = volumeEnding(file);
  if (!ending) throw unknownKind(file);
  const remarks: Remark[] = [];
  const input: Input = {
    ...from,
    tell: (remark) => {
      remarks.push(remark);
    },
  };
  const volume = await (ending === '.nii' || ending === '.nii.gz'
    ? readNifti(input, ending === '.nii.gz')
    : ending === '.mha' || ending === '.mhd'
      ? readMetaImage(input)
      : readNrrd(input));
  say(remarks, tell);
  return volume;
}
