// SPDX-License-Identifier: MIT
// From anything thrown below to what the page is told.
import { VoxelgradError } from '../../errors.ts';
import { isFull } from '../../io/browser/folder.ts';
import type { Failure } from '../protocol.ts';

/** Space that ran out, wherever on the way it was met. */
function fullBelow(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) if (isFull(at)) return true;
  return isFull(error);
}

export function failureOf(error: unknown): Failure {
  const full = fullBelow(error);
  if (error instanceof VoxelgradError) {
    const { code, hint } = error;
    const message = hint && error.message.endsWith(hint) ? error.message.slice(0, -hint.length).trimEnd() : error.message;
    return {
      code: full ? 'QUOTA' : code,
      message,
      ...(full
        ? { hint: 'Remove sessions that are not needed, or take their files away first; the page can ask for more space.' }
        : hint && { hint }),
    };
  }
  if (full)
    return {
      code: 'QUOTA',
      message: 'The space that the browser grants is used up.',
      hint: 'Remove sessions that are not needed, or take their files away first; the page can ask for more space.',
    };
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return {
    code: 'INTERNAL',
    message: stack?.includes(message) ? stack : message,
    hint: 'This is a bug in voxelgrad: please report it with the lines above.',
  };
}
