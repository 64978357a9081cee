// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest';
import { notRead } from '../../src/io/endings.ts';

it('names that a person takes for volumes and that are not read, but for the voxels of a header beside them', () => {
  const volumes = ['a.nii.gz', 'b.nrrd', 'c.mhd', 'd.nhdr', 'e.mha', 'f.nii'];
  const besides = ['c.raw', 'c.img', 'd.img.gz', 'notes.txt', 'dataset.json', 'preview.png', 'a.npz', 'a.pkl', 'IMG0001', 'x.dcm'];
  const strange = ['g.NII.GZ', 'h.Nii', 'i.hdr', 'i.img', 'j.mgz', 'k.nii.bz2', 'l.NRRD', 'm.mnc', 'n.gipl.gz'];
  expect(notRead([...volumes, ...besides, ...strange])).toEqual(strange);
});
