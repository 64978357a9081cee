// SPDX-License-Identifier: MIT
// Bytes as text in a page, wherever the page is made.

export function base64(bytes: Uint8Array): string {
  let text = '';
  // as many arguments as every engine takes
  for (let at = 0; at < bytes.length; at += 2 ** 14) text += String.fromCharCode(...bytes.subarray(at, at + 2 ** 14));
  return btoa(text);
}

/** The address of a PNG that stands in the page itself. */
export const dataUri = (png: Uint8Array): string => `data:image/png;base64,${base64(png)}`;
