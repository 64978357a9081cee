// SPDX-License-Identifier: MIT
// What lies beside slices and is none, by its name.

const NAMES = 'dicomdir|readme|licen[cs]e|copying|thumbs\\.db|desktop\\.ini';
const ENDINGS =
  'txt|md|rst|pdf|docx?|rtf|csv|tsv|xlsx?|json|xml|ya?ml|html?|css|js|py|sh|m|log|ini|cfg|inf|png|jpe?g|gif|bmp|tiff?|svg|' +
  'nii|nii\\.gz|nrrd|nhdr|mha|mhd|mat|npy|exe|lnk|url|md5|sha\\d*';

/** Anything else that cannot be read may be a slice, which must not be missing without a word. */
export const NO_SLICE = new RegExp(`^(${NAMES})$|\\.(${ENDINGS})$`, 'i');
