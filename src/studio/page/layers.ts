// SPDX-License-Identifier: MIT
// What is kept of a plane between two frames, so that a frame costs what changed.
import type { Plane } from '../../axes.ts';
import { slice, walkOf } from '../annotate/planes.ts';
import { greys } from '../view/paint.ts';
import type { Window } from '../view/windows.ts';
import type { Scan } from './state.ts';

/** A picture in the slice's own pixels, made anew only when what it shows changed. */
export class Layer {
  readonly canvas = document.createElement('canvas');
  private key: readonly unknown[] = [];
  paint(size: readonly [number, number], key: readonly unknown[], fill: (rgba: Uint32Array) => void): HTMLCanvasElement {
    if (key.length === this.key.length && key.every((k, i) => k === this.key[i])) return this.canvas;
    this.key = key;
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    const image = new ImageData(size[0], size[1]);
    fill(new Uint32Array(image.data.buffer));
    this.canvas.getContext('2d')!.putImageData(image, 0, 0);
    return this.canvas;
  }
}

/** The scan's greys in a plane: the 3D view shows them too. */
export function greySlice(layer: Layer, { voxels, drawing }: Scan, plane: Plane, index: number, window: Window): HTMLCanvasElement {
  const { width, height } = walkOf(drawing.size, plane, index);
  return layer.paint([width, height], [voxels, plane, index, window], (rgba) =>
    greys(slice<Int16Array | Float32Array>(voxels.data, drawing.size, plane, index), window, rgba),
  );
}

/** Something that takes longer than a frame, made anew only when what it is made of changed. */
export class Memo<T> {
  private key: readonly unknown[] = [];
  private value!: T;
  of(key: readonly unknown[], make: () => T): T {
    if (key.length !== this.key.length || key.some((k, i) => k !== this.key[i])) {
      this.value = make();
      this.key = key;
    }
    return this.value;
  }
}

/** Edges of classes: value, segments. */
export type Lines = readonly (readonly [number, readonly number[]])[];

/** What is kept of one plane between two frames. */
export class Layers {
  readonly grey = new Layer();
  readonly drawn = new Layer();
  readonly mask = new Layer();
  readonly drawnEdges = new Memo<Lines>();
  readonly maskEdges = new Memo<Lines>();
  readonly suggestion = new Memo<Uint8Array | undefined>();
  readonly suggestionEdges = new Memo<Lines>();
}
