// SPDX-License-Identifier: MIT
// Coloured surfaces made ready to be drawn: packed for the page's viewer, and as a still picture drawn here, from the same colours,
// the same light and the same first view.

import { encode } from 'fast-png';
import type { SurfaceMesh } from '../metrics/surface_mesh.ts';
import { base64 } from './base64.ts';
import { distanceColour } from './palette.ts';

/** Corners within a ball of radius 1 around the origin, with outward normals and colours of the distance. */
export interface ColouredSurface {
  positions: Float32Array;
  normals: Float32Array;
  colours: Uint8Array;
  triangles: Uint32Array;
}

/**
 * Rows: right, up and towards the eye, in RAS. From the front, a little from the patient's left and above: the patient's right is on the
 * left.
 */
export const FIRST_VIEW: readonly number[] = view(25, 20);

function view(turned: number, raised: number): number[] {
  const [a, b] = [turned, raised].map((degrees) => (degrees * Math.PI) / 180) as [number, number];
  const right = [-Math.cos(a), -Math.sin(a), 0],
    eye = [-Math.sin(a) * Math.cos(b), Math.cos(a) * Math.cos(b), Math.sin(b)];
  const up = [eye[1] * right[2] - eye[2] * right[1], eye[2] * right[0] - eye[0] * right[2], eye[0] * right[1] - eye[1] * right[0]];
  return [...right, ...up, ...eye];
}

/** All meshes of a case on one scale. */
export function colouredSurface(meshes: readonly SurfaceMesh[], tolerance: number): ColouredSurface {
  const positions = Float32Array.from(meshes.flatMap((m) => [...m.positions])),
    distances = meshes.flatMap((m) => [...m.distances]);
  let first = 0;
  const triangles = Uint32Array.from(
    meshes.flatMap((m) => {
      const own = [...m.triangles].map((i) => i + first);
      first += m.distances.length;
      return own;
    }),
  );
  const low = [Infinity, Infinity, Infinity],
    high = [-Infinity, -Infinity, -Infinity];
  positions.forEach((v, i) => {
    low[i % 3] = Math.min(low[i % 3], v);
    high[i % 3] = Math.max(high[i % 3], v);
  });
  const centred = positions.map((v, i) => v - (low[i % 3] + high[i % 3]) / 2);
  let reach = 0; // of the farthest corner: nothing leaves the picture when it is turned
  for (let i = 0; i < centred.length; i += 3) reach = Math.max(reach, Math.hypot(centred[i], centred[i + 1], centred[i + 2]));
  const placed = centred.map((v) => v / (1.04 * reach));
  return {
    positions: placed,
    normals: normalsOf(placed, triangles),
    colours: Uint8Array.from(distances.flatMap((d) => [...distanceColour(d, tolerance)])),
    triangles,
  };
}

function normalsOf(p: Float32Array, triangles: Uint32Array): Float32Array {
  const normals = new Float32Array(p.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const [i, j, k] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]] as [number, number, number];
    const u = [p[j] - p[i], p[j + 1] - p[i + 1], p[j + 2] - p[i + 2]],
      v = [p[k] - p[i], p[k + 1] - p[i + 1], p[k + 2] - p[i + 2]];
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    for (const corner of [i, j, k])
      n.forEach((value, a) => {
        normals[corner + a] += value;
      });
  }
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
    for (let a = 0; a < 3; a++) normals[i + a] /= length;
  }
  return normals;
}

/** Bytes for the viewer: positions (16 bits), normals, colours (8 bits), then the triangles' corners (16 or 32 bits). */
export function packed({ positions, normals, colours, triangles }: ColouredSurface): { data: string; corners: number; triangles: number } {
  const corners = positions.length / 3;
  const bytes = new Uint8Array(12 * corners + triangles.length * (corners > 65535 ? 4 : 2));
  let at = 0;
  for (const part of [
    new Uint8Array(Int16Array.from(positions, (v) => Math.round(v * 32767)).buffer),
    new Uint8Array(Int8Array.from(normals, (v) => Math.round(v * 127)).buffer),
    colours,
    new Uint8Array((corners > 65535 ? Uint32Array.from(triangles) : Uint16Array.from(triangles)).buffer),
  ]) {
    bytes.set(part, at);
    at += part.length;
  }
  return { data: base64(bytes), corners, triangles: triangles.length / 3 };
}

/** What is seen of a surface by light from the eye, as the viewer's shader has it. */
const brightness = (towardsEye: number): number => 0.35 + 0.65 * Math.max(0, towardsEye);

/** A square PNG with a transparent ground. Every pixel is the mean of four. */
export function stillPicture({ positions, normals, colours, triangles }: ColouredSurface, side: number): Uint8Array {
  const n = side * 2,
    depth = new Float32Array(n * n).fill(-Infinity),
    fine = new Uint8Array(n * n * 4);
  const [rx, ry, rz, ux, uy, uz, ex, ey, ez] = FIRST_VIEW as [number, number, number, number, number, number, number, number, number];
  const corners = positions.length / 3,
    x = new Float64Array(corners),
    y = new Float64Array(corners),
    z = new Float64Array(corners),
    light = new Float64Array(corners);
  for (let i = 0; i < corners; i++) {
    const [a, b, c] = [positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]];
    x[i] = ((rx * a + ry * b + rz * c + 1) * n) / 2;
    y[i] = ((1 - (ux * a + uy * b + uz * c)) * n) / 2;
    z[i] = ex * a + ey * b + ez * c;
    light[i] = brightness(ex * normals[3 * i] + ey * normals[3 * i + 1] + ez * normals[3 * i + 2]);
  }
  for (let t = 0; t < triangles.length; t += 3) {
    const [i, j, k] = [triangles[t], triangles[t + 1], triangles[t + 2]] as [number, number, number];
    const area = (x[j] - x[i]) * (y[k] - y[i]) - (x[k] - x[i]) * (y[j] - y[i]);
    if (area === 0) continue;
    const within = (values: Float64Array, least: boolean): number =>
      Math.max(
        0,
        Math.min(
          n - 1,
          least ? Math.floor(Math.min(values[i], values[j], values[k])) : Math.ceil(Math.max(values[i], values[j], values[k])),
        ),
      );
    for (let py = within(y, true); py <= within(y, false); py++) {
      for (let px = within(x, true); px <= within(x, false); px++) {
        const cx = px + 0.5,
          cy = py + 0.5;
        const wj = ((cx - x[i]) * (y[k] - y[i]) - (x[k] - x[i]) * (cy - y[i])) / area,
          wk = ((x[j] - x[i]) * (cy - y[i]) - (cx - x[i]) * (y[j] - y[i])) / area,
          wi = 1 - wj - wk;
        if (wi < 0 || wj < 0 || wk < 0) continue;
        const at = py * n + px,
          near = wi * z[i] + wj * z[j] + wk * z[k];
        if (near <= depth[at]) continue;
        depth[at] = near;
        const shade = wi * light[i] + wj * light[j] + wk * light[k];
        for (let c = 0; c < 3; c++)
          fine[at * 4 + c] = shade * (wi * colours[3 * i + c] + wj * colours[3 * j + c] + wk * colours[3 * k + c]);
        fine[at * 4 + 3] = 255;
      }
    }
  }
  return encode({ width: side, height: side, channels: 4, depth: 8, data: halvedPicture(fine, side) });
}

/** Four pixels to one; a colour is the mean of the covered ones. */
function halvedPicture(fine: Uint8Array, side: number): Uint8Array {
  const out = new Uint8Array(side * side * 4);
  for (let i = 0; i < side * side; i++) {
    const from = (Math.floor(i / side) * 4 * side + (i % side) * 2) * 4;
    const four = [from, from + 4, from + side * 8, from + side * 8 + 4];
    const covered = four.filter((at) => fine[at + 3] === 255);
    if (covered.length === 0) continue;
    for (let c = 0; c < 3; c++) out[i * 4 + c] = covered.reduce((sum, at) => sum + fine[at + c], 0) / covered.length;
    out[i * 4 + 3] = (255 * covered.length) / 4;
  }
  return out;
}
