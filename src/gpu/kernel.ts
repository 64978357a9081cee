// SPDX-License-Identifier: MIT
// What build.mjs knows about one entry point of one kernel file. src/gen/*.ts holds one KernelDef per entry point.

export type BindingKind = 'uniform' | 'read' | 'read_write';
export type ScalarType = 'u32' | 'i32' | 'f32';

export interface BindingDef {
  readonly name: string;
  readonly binding: number;
  readonly kind: BindingKind;
  /** WGSL type, e.g. `array<T>`, `array<vec4<f32>>`, `Params`. */
  readonly type: string;
}

/**
 * One entry point. The type parameters carry the names that a caller must supply, so a wrong binding, field,
 * override or spec value is a TypeScript error: B = storage binding names, P = fields of `Params`,
 * O = override names, S = spec names.
 */
export interface KernelDef<B extends string = string, P extends string = string, O extends string = string, S extends string = string> {
  /** File below kernels/, e.g. `conv.wgsl`. */
  readonly file: string;
  readonly entry: string;
  /** Linked text with every default in place: valid WGSL as it stands. Shared by all entry points of the file. */
  readonly wgsl: string;
  /** Resources that this entry point uses, `params` (uniform, binding 0) included. */
  readonly bindings: readonly BindingDef[];
  readonly params: {
    readonly size: number;
    readonly fields: Readonly<Record<P, { readonly offset: number; readonly type: ScalarType }>>;
  } | null;
  /** Tagged one-line declarations that may be rewritten; first value is the default. `['*']` = any expression. */
  readonly spec: Readonly<Record<S, readonly string[]>>;
  readonly overrides: Readonly<Record<O, { readonly type: string; readonly default: number | boolean }>>;
  /** Several calls may share a dispatch (several.ts): its text is written as ours is, and asks for nothing that counts through a grid. */
  readonly joins?: boolean;
  /** Phantom: makes B part of the type. */
  readonly storage?: readonly B[];
}
