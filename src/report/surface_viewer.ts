// SPDX-License-Identifier: MIT
// The page's own program: draws packed surfaces (surface_picture.ts) with regl and turns them with mouse, finger or arrow keys. One WebGL
// context draws for all of them, since a page may hold few. Without a script or WebGL, the still pictures remain.

import { FIRST_VIEW } from './surface_picture.ts';

export const VIEWER = `(() => {
  const canvases = [...document.querySelectorAll('canvas[data-surface]')];
  const stage = document.createElement('canvas'), side = 560;
  stage.width = stage.height = side;
  const none = 'This browser offers no WebGL: only the still pictures are shown.';
  const fail = () => document.querySelectorAll('.turned-hint').forEach((p) => { p.textContent = none; });
  let regl;
  const attributes = { antialias: true, preserveDrawingBuffer: true, alpha: true };
  try {
    regl = createREGL({ canvas: stage, attributes, optionalExtensions: ['oes_element_index_uint'] });
  } catch { return fail(); }
  const draw = regl({
    vert: 'precision highp float; attribute vec3 position, normal, colour; uniform vec3 right, up, eye; varying vec3 tone; void main() {' +
      ' tone = colour * (0.35 + 0.65 * max(0.0, dot(eye, normal)));' +
      ' gl_Position = vec4(dot(right, position), dot(up, position), -0.5 * dot(eye, position), 1.0); }',
    frag: 'precision highp float; varying vec3 tone; void main() { gl_FragColor = vec4(tone, 1.0); }',
    attributes: { position: regl.prop('position'), normal: regl.prop('normal'), colour: regl.prop('colour') },
    elements: regl.prop('elements'), uniforms: { right: regl.prop('right'), up: regl.prop('up'), eye: regl.prop('eye') },
  });
  const read = (canvas) => {
    const bytes = Uint8Array.from(atob(canvas.dataset.surface), (c) => c.charCodeAt(0)), n = Number(canvas.dataset.corners);
    const attribute = (data) => ({ buffer: regl.buffer(data), normalized: true, size: 3 });
    const Index = n > 65535 ? Uint32Array : Uint16Array;
    return {
      position: attribute(new Int16Array(bytes.buffer.slice(0, 6 * n))),
      normal: attribute(new Int8Array(bytes.buffer.slice(6 * n, 9 * n))),
      colour: attribute(bytes.slice(9 * n, 12 * n)),
      elements: regl.elements({ data: new Index(bytes.buffer.slice(12 * n)), primitive: 'triangles' }),
    };
  };
  for (const canvas of canvases) {
    const surface = read(canvas), first = ${JSON.stringify(FIRST_VIEW.map((v) => Number(v.toFixed(6))))};
    let view = first;
    canvas.width = canvas.height = side;
    canvas.hidden = false;
    const show = () => {
      regl.clear({ color: [0, 0, 0, 0], depth: 1 });
      draw({ ...surface, right: view.slice(0, 3), up: view.slice(3, 6), eye: view.slice(6) });
      const pen = canvas.getContext('2d');
      pen.clearRect(0, 0, side, side);
      pen.drawImage(stage, 0, 0);
    };
    // Turns about the screen's upright and level axes: rows of the view are mixed.
    const turn = (dx, dy) => {
      const mix = (p, q, angle) => {
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (let k = 0; k < 3; k++) {
          const [a, b] = [view[p + k], view[q + k]];
          view[p + k] = c * a + s * b;
          view[q + k] = c * b - s * a;
        }
      };
      view = [...view];
      mix(0, 6, dx);
      mix(3, 6, -dy);
      show();
    };
    let last = null;
    canvas.addEventListener('pointerdown', (e) => { last = e; canvas.setPointerCapture(e.pointerId); });
    canvas.addEventListener('pointermove', (e) => {
      if (!last) return;
      turn((e.clientX - last.clientX) / 80, (e.clientY - last.clientY) / 80);
      last = e;
    });
    for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => { last = null; });
    canvas.addEventListener('dblclick', () => { view = first; show(); });
    canvas.addEventListener('keydown', (e) => {
      const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[e.key];
      if (step) { turn(...step); e.preventDefault(); }
    });
    show();
  }
})();`;
