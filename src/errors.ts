// SPDX-License-Identifier: MIT
// Every error a user can meet. Message grammar: `<where>: <what is wrong>, got <value>, expected <value>. <hint>`.

/** Names and texts out of files stand in what is printed: cut where they are endless, and nothing in them commands a terminal. */
export function printable(text: string, most = Infinity): string {
  const short =
    text.length <= most
      ? text
      : `${text.slice(0, Math.ceil(most * 0.8))} [... ${text.length - most} characters ...] ${text.slice(-Math.floor(most * 0.2))}`;
  return short.replace(
    /[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Longer messages say nothing more to a person. */
const MOST = 4000;

/** Base of all typed errors. `code` is stable for programs, `hint` says what to do next. */
export class VoxelgradError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  constructor(code: string, message: string, hint?: string, options?: ErrorOptions) {
    hint &&= printable(hint, MOST);
    super(hint ? `${printable(message, MOST)} ${hint}` : printable(message, MOST), options);
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
  }
}

/** Tensor shapes or attributes that do not fit an op. */
export class ShapeError extends VoxelgradError {
  constructor(message: string, hint?: string) {
    super('SHAPE', message, hint);
  }
}
/** An index outside of what it counts, where the host knows it or a device opened with `debug` has met it. */
export class IndexError extends VoxelgradError {
  constructor(message: string, hint?: string) {
    super('INDEX', message, hint);
  }
}
/** A dtype an op does not take; there is no implicit promotion. */
export class DTypeError extends VoxelgradError {
  constructor(message: string, hint?: string) {
    super('DTYPE', message, hint);
  }
}
/** Use of a tensor, program or device after it was released. */
export class DisposedError extends VoxelgradError {
  constructor(message: string, hint?: string) {
    super('DISPOSED', message, hint);
  }
}
/** One or more ops on the path from loss to parameters have no gradient; all of them are named. */
export class MissingGradientError extends VoxelgradError {
  constructor(message: string, hint?: string) {
    super('MISSING_GRADIENT', message, hint);
  }
}
/** A device limit or memory budget would be passed; the limit is named. */
export class LimitError extends VoxelgradError {
  constructor(message: string, hint?: string) {
    super('LIMIT', message, hint);
  }
}
/** WGSL or pipeline compilation failed; the message carries kernels/FILE:line:column. */
export class KernelCompileError extends VoxelgradError {
  constructor(message: string, hint?: string) {
    super('KERNEL_COMPILE', message, hint);
  }
}
/** No adapter, or the device was lost and could not be reopened. */
export class DeviceLostError extends VoxelgradError {
  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super('DEVICE_LOST', message, hint, options);
  }
}
/** A state dict that does not fit the module: missing, unexpected or misshapen entries. */
export class StateDictError extends VoxelgradError {
  constructor(message: string, hint?: string) {
    super('STATE_DICT', message, hint);
  }
}
/** A file, data set, plan or checkpoint that cannot be used; the message names the file or field. */
export class DataError extends VoxelgradError {
  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super('DATA', message, hint, options);
  }
}
/** A command line that cannot be understood (exit code 2). */
export class UsageError extends VoxelgradError {
  constructor(message: string, hint?: string) {
    super('USAGE', message, hint);
  }
}
