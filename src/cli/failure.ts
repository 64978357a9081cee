// SPDX-License-Identifier: MIT
// From anything thrown to what a person reads and what the process returns.
import { DataError, StateDictError, UsageError, VoxelgradError } from '../errors.ts';
import type { ExitCode } from './verb.ts';

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;
  /** Only of errors that nobody foresaw: where it happened, for the bug report. */
  readonly stack: string | undefined;
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error &&
  typeof (error as NodeJS.ErrnoException).syscall === 'string' &&
  typeof (error as NodeJS.ErrnoException).code === 'string';

function exitCodeOf(error: VoxelgradError): ExitCode {
  if (error instanceof UsageError) return 2;
  return error instanceof DataError || error instanceof StateDictError ? 3 : 1;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof VoxelgradError) {
    const { code, hint } = error;
    const message = hint && error.message.endsWith(hint) ? error.message.slice(0, -hint.length).trimEnd() : error.message;
    return { code, message, hint, exitCode: exitCodeOf(error), stack: undefined };
  }
  if (isSystemError(error)) {
    // Files that the command line named: missing, unreadable, a folder where a file should be.
    return { code: error.code!, message: error.message, hint: undefined, exitCode: 3, stack: undefined };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { code: 'INTERNAL', message, hint: 'This is a bug in voxelgrad: please report it with the lines above.', exitCode: 1, stack };
}
