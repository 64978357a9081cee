// SPDX-License-Identifier: MIT
// Eager calls leave their intermediate results alive; a scope disposes those of a stretch of code at once.
import { callable, expectArguments } from '../check.ts';
import { setCreationHook, Tensor } from './tensor.ts';
import { currentTrace, expectSync } from './trace.ts';

function* tensorsIn(value: unknown): Generator<Tensor> {
  if (value instanceof Tensor) yield value;
  else if (Array.isArray(value) || value instanceof Map || value instanceof Set) for (const item of value) yield* tensorsIn(item);
  else if (value && Object.getPrototypeOf(value) === Object.prototype) for (const item of Object.values(value)) yield* tensorsIn(item);
}

/** Disposes those of `made` that `result` does not hold. */
export function disposeOthers(made: Iterable<Tensor>, result: unknown): void {
  const kept = new Set(tensorsIn(result));
  for (const t of made) if (!kept.has(t)) t.dispose();
}

/**
 * Runs `f` and disposes every tensor that was made inside it, but those in what it returns (also within arrays, maps and plain objects).
 * Inside a traced step it only runs `f`: there memory is planned. @throws VoxelgradError USAGE where `f` is asynchronous: its tensors could
 * not be told from those that others make meanwhile.
 */
export function scope<T>(f: () => T): T {
  expectArguments('scope', { f: callable }, [f]);
  if (currentTrace()) return expectSync('scope', f());
  const made = new Set<Tensor>();
  const outer = setCreationHook((t) => {
    made.add(t);
    outer?.(t);
  });
  try {
    const result = expectSync('scope', f());
    for (const t of tensorsIn(result)) made.delete(t);
    return result;
  } finally {
    setCreationHook(outer);
    for (const t of made) t.dispose();
  }
}
