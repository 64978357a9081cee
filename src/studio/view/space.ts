// SPDX-License-Identifier: MIT
// The 3D view: the three slices standing in the patient's box, and the surfaces of classes, turned by the pointer. Plain WebGL: libraries
// that write their own code as they run (regl) are what a content security policy without `unsafe-eval` forbids.
import type { Plane, Triple } from '../../axes.ts';
import { walkOf } from '../annotate/planes.ts';
import type { Colour } from './paint.ts';
import type { Solid } from './solid.ts';

const VERTEX = `#version 300 es
in vec3 position; in vec3 normal; in vec2 place; uniform vec3 right, up, eye, middle; uniform vec2 zoom; out vec2 spot; out float light;
void main() { vec3 p = position - middle; spot = place; light = 0.3 + 0.7 * abs(dot(eye, normal));
  gl_Position = vec4(dot(right, p) * zoom.x, dot(up, p) * zoom.y, -dot(eye, p) * 0.5 * min(zoom.x, zoom.y), 1.0); }`;
const FRAGMENT = `#version 300 es
precision highp float; in vec2 spot; in float light; uniform sampler2D picture; uniform vec4 colour; out vec4 seen;
void main() { seen = colour.a > 0.0 ? vec4(colour.rgb * light, 1.0) : vec4(texture(picture, spot).rgb, 1.0); }`;

export interface Angles {
  /** Degrees about the long axis, and above the horizon. */
  readonly turned: number;
  readonly raised: number;
}
export const FROM_THE_FRONT: Angles = { turned: 30, raised: 20 };

/**
 * Right, up and towards the eye in array axes [W, H, D]: towards Right, Anterior, Superior. From the front the patient's right is on the
 * left.
 */
function view({ turned, raised }: Angles): readonly [Triple, Triple, Triple] {
  const [a, b] = [turned, raised].map((d) => (d * Math.PI) / 180);
  const right: Triple = [-Math.cos(a), Math.sin(a), 0],
    eye: Triple = [Math.sin(a) * Math.cos(b), Math.cos(a) * Math.cos(b), Math.sin(b)];
  const up: Triple = [-Math.sin(a) * Math.sin(b), -Math.cos(a) * Math.sin(b), Math.cos(b)];
  return [right, up, eye];
}

/** The corners of a slice in mm along W, H, D, in the order of its picture's corners (0,0) (1,0) (0,1) (1,1). */
function cornersOf(plane: Plane, index: number, size: Triple, spacing: Triple): Float32Array {
  const { width, height } = walkOf(size, plane, index);
  const [D, H, W] = spacing;
  const at = (u: number, v: number): number[] =>
    plane === 'transverse' ? [u * W, v * H, index * D] : plane === 'coronal' ? [u * W, index * H, v * D] : [index * W, u * H, v * D];
  return Float32Array.from([...at(0, 0), ...at(width, 0), ...at(0, height), ...at(width, height)]);
}

export interface Scene {
  readonly size: Triple;
  readonly spacing: Triple;
  readonly slices: readonly { readonly plane: Plane; readonly index: number; readonly picture: TexImageSource }[];
  readonly solids: readonly Solid[];
  readonly colours: readonly (Colour | undefined)[];
}

interface Model {
  readonly indices: number;
  readonly array: WebGLVertexArrayObject;
  readonly colour: Colour;
}

/** Draws on one canvas. @returns undefined where the browser offers no WebGL 2 */
export function openSpace(canvas: HTMLCanvasElement): { draw(scene: Scene, angles: Angles): void; close(): void } | undefined {
  const gl = canvas.getContext('webgl2', { antialias: true, preserveDrawingBuffer: true });
  if (!gl) return undefined;
  const program = gl.createProgram();
  for (const [kind, text] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    // prettier-ignore
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  ['position', 'normal', 'place'].forEach((name, i) => gl.bindAttribLocation(program, i, name));
  gl.linkProgram(program);
  gl.useProgram(program);
  const uniform = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(program, name);
  const places = {
    right: uniform('right'),
    up: uniform('up'),
    eye: uniform('eye'),
    middle: uniform('middle'),
    zoom: uniform('zoom'),
    colour: uniform('colour'),
  };
  const pictures = [0, 1, 2].map(() => gl.createTexture());
  const square = gl.createVertexArray(),
    corners = gl.createBuffer();
  const attribute = (index: number, size: number, buffer: WebGLBuffer | null, data?: BufferSource): void => {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    if (data) gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(index);
    gl.vertexAttribPointer(index, size, gl.FLOAT, false, 0, 0);
  };
  gl.bindVertexArray(square);
  attribute(0, 3, corners);
  attribute(2, 2, gl.createBuffer(), Float32Array.of(0, 0, 1, 0, 0, 1, 1, 1));
  gl.enable(gl.DEPTH_TEST);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);

  let shown: readonly Solid[] | undefined;
  let models: Model[] = [];
  let buffers: WebGLBuffer[] = [];
  const build = ({ solids, colours }: Scene): void => {
    models.forEach((m) => gl.deleteVertexArray(m.array));
    buffers.forEach((b) => gl.deleteBuffer(b));
    buffers = [];
    const buffer = (): WebGLBuffer => buffers[buffers.push(gl.createBuffer()) - 1];
    models = solids.map((solid) => {
      const array = gl.createVertexArray();
      gl.bindVertexArray(array);
      attribute(0, 3, buffer(), solid.positions as BufferSource);
      attribute(1, 3, buffer(), solid.normals as BufferSource);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffer());
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, solid.triangles as BufferSource, gl.STATIC_DRAW);
      return { indices: solid.triangles.length, array, colour: colours[solid.value] ?? [255, 255, 255] };
    });
    shown = solids;
  };

  return {
    draw(scene, angles) {
      if (scene.solids !== shown) build(scene);
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(0, 0, 0, 1);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      const [right, up, eye] = view(angles);
      const extent = [2, 1, 0].map((axis) => scene.size[axis] * scene.spacing[axis]);
      const reach = Math.hypot(...extent) / 2,
        side = Math.min(canvas.width, canvas.height);
      gl.uniform3fv(places.right, right);
      gl.uniform3fv(places.up, up);
      gl.uniform3fv(places.eye, eye);
      gl.uniform3fv(places.middle, extent.map((x) => x / 2)); // prettier-ignore
      gl.uniform2f(places.zoom, side / canvas.width / reach, side / canvas.height / reach);
      gl.uniform4f(places.colour, 0, 0, 0, 0);
      gl.bindVertexArray(square);
      scene.slices.forEach(({ plane, index, picture }, i) => {
        gl.bindTexture(gl.TEXTURE_2D, pictures[i]);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
        gl.bindBuffer(gl.ARRAY_BUFFER, corners);
        gl.bufferData(gl.ARRAY_BUFFER, cornersOf(plane, index, scene.size, scene.spacing), gl.DYNAMIC_DRAW);
        gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
      });
      for (const { array, indices, colour } of models) {
        gl.uniform4f(places.colour, colour[0] / 255, colour[1] / 255, colour[2] / 255, 1);
        gl.bindVertexArray(array);
        gl.drawElements(gl.TRIANGLES, indices, gl.UNSIGNED_INT, 0);
      }
    },
    close: () => gl.getExtension('WEBGL_lose_context')?.loseContext(),
  };
}
