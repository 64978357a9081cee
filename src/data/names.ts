// SPDX-License-Identifier: MIT
// One rule for the names of cases, for every verb. A mask belongs to the scan of its name, so a name must never be shared or lost.
import { DataError } from '../errors.ts';

/** The rule as `--help` says it. */
export const NAME_RULE = `
Names: a case is called like its file, without the ending. nnU-Net's channel number _0000 is no part of the name where it is one: in
imagesTr or imagesTs, if every image there ends in it, and in any other folder of two or more images that all do (import: where the
masks have none). So case_0000 beside case_0001 keeps its number, and a lone scan_0000 too. Two cases of one name are refused, also
where only capitals differ or how an accent is stored, and so are names that other systems cannot store.`;

const CHANNEL = /_0000$/;

/** What names must not share: capitals and Unicode forms (an accent as one character or two) are one file on some systems. */
export const nameKey = (name: string): string => name.normalize('NFC').toUpperCase().normalize('NFC');

/** Whether `_0000` ends all of these names as nnU-Net's channel number; `folder` is the last part of their folder's path. */
export const channelNumbered = (stems: readonly string[], folder: string): boolean =>
  stems.length > 0 && stems.every((stem) => CHANNEL.test(stem)) && (stems.length > 1 || /^images(Tr|Ts|Val?)$/i.test(folder));

/**
 * The case that each of a folder's files belongs to, by file name without ending. `a_0000` beside `a` could be either: both get one
 * name, so that whoever collects them refuses them as doubles.
 */
export function caseNames(stems: readonly string[], channels: boolean): Map<string, string> {
  const all = new Set(stems);
  return new Map(
    stems.map((stem) => {
      const bare = stem.replace(CHANNEL, '');
      return [stem, bare !== '' && (channels || all.has(bare)) ? bare : stem];
    }),
  );
}

/** Names of devices on Windows, with any ending. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
/** A file system stores 255 bytes; endings, channel numbers and temporary names need some. */
const MOST_BYTES = 200;

/** What is wrong with a name as part of file names on Linux, macOS and Windows; undefined if nothing is. */
export function nameFault(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'is no file name';
  const wrong = /[\u0000-\u001f\u007f<>:"/\\|?*]/.exec(name)?.[0];
  if (wrong !== undefined) return `holds ${wrong < ' ' || wrong === '\u007f' ? `the control character ${wrong.charCodeAt(0)}` : wrong}`;
  if (name.startsWith('.')) return 'begins with a dot';
  if (/[. ]$/.test(name)) return 'ends in a dot or a space';
  if (DEVICE.test(name)) return 'is the name of a device on Windows';
  if (/\p{Surrogate}/u.test(name)) return 'is no text';
  const bytes = new TextEncoder().encode(name).length;
  return bytes > MOST_BYTES ? `is ${bytes} bytes long, at most ${MOST_BYTES} fit` : undefined;
}

/** @throws DataError naming the file */
export function assertCaseName(name: string, file: string): void {
  const fault = nameFault(name);
  if (fault !== undefined)
    throw new DataError(
      `${file}: case name ${fault}, got ${JSON.stringify(name)}, expected a file name that every system can store.`,
      'Rename the file.',
    );
}
