// SPDX-License-Identifier: MIT
/** The text of a file, as Vite and scripts/build/packages.mjs give it. */
declare module '*?raw' {
  const text: string;
  export default text;
}
