// SPDX-License-Identifier: MIT
// The page's icons, drawn here: lines of 24 x 24.
import type { JSX } from 'preact';

const PATHS = {
  look: 'M12 3v6M12 15v6M3 12h6M15 12h6',
  window: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18',
  brush: 'M20 4 10 14M10 14c-3 0-3 3-6 5 4 2 9 1 9-2 0-1-1-3-3-3z',
  eraser: 'M9 20h11M5 15l9-10 6 6-8 9H9z',
  polygon: 'M5 9l8-5 6 6-3 9-9-1z',
  flood: 'M6 11l6-7 7 7-7 7zM4 20c1-1 3-1 4 0s3 1 4 0 3-1 4 0 3 1 4 0',
  undo: 'M9 6 4 11l5 5M4 11h10a6 6 0 0 1 0 9h-3',
  redo: 'm15 6 5 5-5 5M20 11H10a6 6 0 0 0 0 9h3',
  fill: 'M4 4h16v16H4zM4 14 14 4M8 20 20 8',
  clear: 'M4 4h16v16H4zM9 9l6 6M15 9l-6 6',
  none: 'M4 12l5 6L20 6',
  copy: 'M8 8h12v12H8zM4 16V4h12',
  suggest: 'M12 3v3M12 18v3M4 7l2 2M18 15l2 2M4 17l2-2M18 9l2-2M9 12a3 3 0 1 0 6 0 3 3 0 0 0-6 0',
  mask: 'M12 21c-5-4-8-7-8-12 3 0 5-1 8-4 3 3 5 4 8 4 0 5-3 8-8 12z',
  next: 'M5 5l8 7-8 7zM17 5v14',
  help: 'M9 9a3 3 0 1 1 4 3c-1 .4-1 1-1 2M12 18v.5',
  open: 'M3 7h6l2 2h10v10H3z',
  train: 'M4 19h16M5 15l4-5 4 3 6-8',
  take: 'M12 4v11M7 11l5 5 5-5M4 20h16',
  large: 'M4 9V4h5M20 15v5h-5M4 4l6 6M20 20l-6-6',
  four: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  close: 'M6 6l12 12M18 6 6 18',
  play: 'M7 4l13 8-13 8z',
  pause: 'M8 5v14M16 5v14',
  stop: 'M6 6h12v12H6z',
} as const;
export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { readonly name: IconName }): JSX.Element => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
);
