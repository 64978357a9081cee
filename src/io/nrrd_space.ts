// SPDX-License-Identifier: MIT
// Which axes of an NRRD are space, and where they lie: "space", its units, directions and origin, turned to LPS millimetres.
import type { Geometry } from '../data/geometry.ts';
import { DataError } from '../errors.ts';
import { badField, numberIn } from './header_text.ts';
import { checkDims, geometryOf } from './promises.ts';
import type { Tell } from './source.ts';

/** Signs that turn each anatomical space of the format into left, posterior, superior. */
const SPACES: Readonly<Record<string, readonly number[]>> = {
  leftposteriorsuperior: [1, 1, 1],
  lps: [1, 1, 1],
  rightanteriorsuperior: [-1, -1, 1],
  ras: [-1, -1, 1],
  leftanteriorsuperior: [1, -1, 1],
  las: [1, -1, 1],
};
const PLAIN = /^(scannerxyz|3drighthanded|3drh|3dlefthanded|3dlh)$/;
const WITH_TIME = /(time|^rast|^last|^lpst|^3dr?l?ht)$/;

/** Names in lower case, read as Latin-1: a micro sign may be two characters. */
const MILLIMETRES: readonly [names: RegExp, mm: number][] = [
  [/^(|\?\?\?|mm|millimet(er|re)s?)$/, 1],
  [/^(um|\u00e2?\u00b5m|\u00ee\u00bcm|microns?|micromet(er|re)s?)$/, 0.001],
  [/^(nm|nanomet(er|re)s?)$/, 1e-6],
  [/^(cm|centimet(er|re)s?)$/, 10],
  [/^(m|met(er|re)s?)$/, 1000],
];

/** Kinds of axis that samples of space lie along; "none" and "???" say nothing. */
const SPATIAL = new Set(['domain', 'space', '???', 'none']);

type Fields = ReadonlyMap<string, string>;

/** Millimetres of the units of `axes`, in a list of `count` quoted names. */
function unitsIn(file: string, field: string, text: string, count: number, axes: readonly number[]): number[] {
  const names = [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((m) => (m[1] ?? m[2]).trim());
  if (names.length !== count) throw badField(file, field, text, `${count} quoted units`);
  return axes.map((axis) => {
    const unit = MILLIMETRES.find(([pattern]) => pattern.test(names[axis].toLowerCase()))?.[1];
    if (unit === undefined) throw badField(file, field, text, 'units of length: mm, um, nm, cm or m', 'Convert the scan to millimetres.');
    return unit;
  });
}

/** A vector (a,b,c). */
function vectorIn(file: string, field: string, text: string): number[] {
  const found = text
    .replace(/^\(|\)$/g, '')
    .split(',')
    .map((word) => numberIn(word.trim()));
  if (found.length !== 3 || found.includes(undefined)) throw badField(file, field, text, 'three numbers in brackets: (x,y,z)');
  return found as number[];
}

/** One vector an axis, null for those that are not space; null where the field is missing. */
function directionsIn(file: string, fields: Fields, rank: number): (number[] | null)[] | null {
  const text = fields.get('space directions');
  if (text === undefined) return null;
  const words = text.match(/none|\([^)]*\)|\S+/gi) ?? [];
  if (words.length !== rank) throw badField(file, 'space directions', text, `${rank} vectors, or "none"`);
  return words.map((word) => (/^none$/i.test(word) ? null : vectorIn(file, 'space directions', word)));
}

/** Signs to LPS. Frames that do not say where the patient's sides are cannot be told apart from mirrored ones. */
function signsOf(file: string, fields: Fields, directions: unknown, tell: Tell): readonly number[] {
  const space = fields.get('space'),
    dimension = fields.get('space dimension');
  if (dimension !== undefined && dimension.trim() !== '3') throw badField(file, 'space dimension', dimension, '3');
  if (space === undefined) {
    const message = directions
      ? 'states directions but no space: they are taken as left, posterior, superior.'
      : 'states no space: its axes are taken as left, posterior, superior.';
    // all readers known to us take it so
    tell({ file, message, remedy: 'Add "space: left-posterior-superior" (or what is right) to its header.', doubtful: false });
    return SPACES.lps;
  }
  const name = space.toLowerCase().replace(/[-\s]/g, '');
  if (Object.hasOwn(SPACES, name)) return SPACES[name];
  if (PLAIN.test(name))
    throw badField(
      file,
      'space',
      space,
      "one that names the patient's sides: left-posterior-superior, right-anterior-superior or left-anterior-superior",
      'Find out how the axes lie in the patient and correct the field.',
    );
  throw badField(
    file,
    'space',
    space,
    'left-posterior-superior, right-anterior-superior, left-anterior-superior, LPS, RAS or LAS',
    WITH_TIME.test(name) ? 'Extract one time point as a 3D file.' : undefined,
  );
}

/** The three axes of the file that are space. All others must have one sample. */
function spatialAxes(file: string, sizes: readonly number[], fields: Fields, directions: readonly (number[] | null)[] | null): number[] {
  if (sizes.length < 3 || sizes.some((n) => !Number.isSafeInteger(n) || n < 1)) checkDims(file, sizes); // throws
  const kinds = fields.get('kinds')?.trim().toLowerCase().split(/\s+/);
  if (kinds && kinds.length !== sizes.length) throw badField(file, 'kinds', fields.get('kinds'), `${sizes.length} kinds`);
  const spatial = (axis: number): boolean => !kinds || SPATIAL.has(kinds[axis]);
  const all = sizes.map((_, axis) => axis),
    told = directions ? all.filter((axis) => directions[axis]) : all.filter(spatial);
  const space = told.length > 3 && !directions ? told.slice(0, 3) : told;
  const other = all.find((axis) => sizes[axis] !== 1 && (!space.includes(axis) || !spatial(axis)));
  if (other !== undefined || space.length !== 3) {
    const why =
      other === undefined
        ? `${space.length} axes of space`
        : `${sizes[other]} samples along axis ${other}${kinds ? ` of kind ${kinds[other]}` : ''}, which is not of space,`;
    throw new DataError(
      `${file}: not a 3D scalar volume, got ${why} in ${sizes.length} dimensions (${sizes.join(' x ')}), expected three axes of ` +
        'space and one value a voxel.',
      'Extract one time point or channel as a 3D file.',
    );
  }
  checkDims(
    file,
    space.map((axis) => sizes[axis]),
  );
  return space;
}

function spacings(file: string, fields: Fields, rank: number, axes: readonly number[]): number[] | undefined {
  const text = fields.get('spacings');
  if (text === undefined) return undefined;
  const words = text.trim().split(/\s+/);
  if (words.length !== rank) throw badField(file, 'spacings', text, `${rank} numbers`);
  const found = axes.map((axis) => numberIn(words[axis]));
  if (found.some((s) => s === undefined || s <= 0))
    throw badField(
      file,
      'spacings',
      text,
      'a number above 0 for each axis of space',
      'Find out the voxel spacing and write it into the header: nan states none.',
    );
  return found as number[];
}

/** The grid of an NRRD, and the number of voxels along [x, y, z]. DataError for what is contradictory, or no place in a patient. */
export function nrrdGrid(file: string, sizes: readonly number[], fields: Fields, tell: Tell): { grid: Geometry; dims: number[] } {
  const directions = directionsIn(file, fields, sizes.length);
  const axes = spatialAxes(file, sizes, fields, directions),
    dims = axes.map((axis) => sizes[axis]);
  for (const field of ['axis mins', 'axis maxs']) {
    const text = fields.get(field);
    if (
      text !== undefined &&
      !text
        .trim()
        .split(/\s+/)
        .every((w) => /^nan$/i.test(w))
    )
      throw badField(file, field, text, 'spacings, or space directions and a space origin, instead', 'Convert the scan with another tool.');
  }
  const signs = signsOf(file, fields, directions, tell);
  const spaceUnits = fields.get('space units'),
    units = fields.get('units');
  const world = spaceUnits === undefined ? [1, 1, 1] : unitsIn(file, 'space units', spaceUnits, 3, [0, 1, 2]);
  const along = units === undefined ? [1, 1, 1] : unitsIn(file, 'units', units, sizes.length, axes);
  if (directions && along.some((mm) => mm !== 1)) throw badField(file, 'units', units, 'space units instead, beside space directions');
  const stated = spacings(file, fields, sizes.length, axes)?.map((s, i) => s * along[i]);
  const originText = fields.get('space origin');
  const origin =
    originText === undefined ? [0, 0, 0] : vectorIn(file, 'space origin', originText.trim()).map((o, i) => o * signs[i] * world[i]);
  if (originText === undefined)
    tell({
      file,
      message: 'states no place (no field space origin): its first voxel is taken to lie at 0, 0, 0.',
      remedy: 'Add the space origin to its header, or convert the scan again from its source.',
      doubtful: false,
    }); // as all readers known to us do
  if (!directions) {
    if (!stated)
      tell({
        file,
        message: 'states no voxel spacing (no field space directions), 1 mm is assumed.',
        remedy: 'Add space directions to its header, or convert the scan again from its source.',
        doubtful: true,
      });
    const spacing = stated ?? [1, 1, 1];
    return {
      dims,
      grid: geometryOf(
        file,
        dims,
        [0, 1, 2].map((i) => [0, 1, 2].map((row) => (row === i ? signs[row] * spacing[i] : 0))),
        origin,
        spacing,
      ),
    };
  }
  const vectors = axes.map((axis) => directions[axis]!.map((x, row) => x * signs[row] * world[row]));
  // To 15 digits: what a direction of length 1 times 0.75 becomes is 0.75 again.
  const lengths = vectors.map((v) => Number(Math.hypot(...v).toPrecision(15)));
  if (stated && lengths.some((l, i) => Math.abs(l - stated[i]) > 1e-3 * l))
    throw badField(file, 'spacings', fields.get('spacings'), `the lengths of the space directions (${lengths.join(', ')})`);
  return { dims, grid: geometryOf(file, dims, vectors, origin, lengths) };
}
