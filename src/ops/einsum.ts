// SPDX-License-Identifier: MIT
// Einstein's summation: operands are multiplied two at a time, left to right, each pair as one matrix product.
import { listOf, text } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { expectDType } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { slice } from './layout.ts';
import { matmul } from './matmul.ts';
import { permute } from './permute.ts';
import { mul } from './pointwise.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';

/** A tensor with a label for each axis. */
interface Labelled {
  readonly x: Tensor;
  readonly labels: readonly string[];
}

const order = ({ x, labels }: Labelled, to: readonly string[]): Tensor =>
  labels.every((l, i) => l === to[i])
    ? x
    : permute(
        x,
        to.map((l) => labels.indexOf(l)),
      );

/** Labels of the operands and of the result; the axes of an ellipsis are the labels 0, 1, ... from the last one. */
function parse(equation: string, operands: readonly Tensor[]): { inputs: string[][]; output: string[] } {
  const wrong = (what: string): never => {
    throw new ShapeError(`einsum: ${what} in ${JSON.stringify(equation)} for ${operands.map((x) => `[${x.shape}]`).join(', ')}.`);
  };
  const [left, right, ...rest] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  if (rest.length > 0 || terms.length !== operands.length) wrong(`got ${terms.length} terms, expected ${operands.length}`);
  const read = (term: string, rank: number): string[] => {
    if (!/^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(term)) wrong(`got term ${JSON.stringify(term)}, expected letters and at most one ellipsis`);
    const extra = rank - term.replace('...', '').length;
    if (extra < 0 || (extra > 0 && !term.includes('...')))
      wrong(`got ${rank} axes for term ${JSON.stringify(term)}, expected as many as letters`);
    const [head, tail = ''] = term.split('...');
    return [...head, ...Array.from({ length: extra }, (_, i) => String(extra - 1 - i)), ...tail];
  };
  const inputs = terms.map((term, i) => read(term, operands[i].shape.length));
  const all = inputs.flat();
  const dots = [...new Set(all.filter((l) => /\d/.test(l)))].sort((a, b) => Number(b) - Number(a));
  if (right === undefined)
    return { inputs, output: [...dots, ...[...new Set(all)].filter((l) => /\D/.test(l) && all.indexOf(l) === all.lastIndexOf(l)).sort()] };
  const output = read(right, right.replace('...', '').length + (right.includes('...') ? dots.length : 0));
  const strange = output.find((l, i) => !all.includes(l) || output.indexOf(l) !== i);
  if (strange !== undefined) wrong(`got ${strange} in the result, expected each label of an operand at most once`);
  return { inputs, output };
}

/** A label that occurs twice becomes the diagonal of its axes. */
function diagonals({ x, labels }: Labelled): Labelled {
  const twice = labels.find((l, i) => labels.indexOf(l) !== i);
  if (twice === undefined) return { x, labels };
  const [i, j] = [labels.indexOf(twice), labels.lastIndexOf(twice)];
  const n = x.shape[i];
  if (x.shape[j] !== n) throw new ShapeError(`einsum: got sizes ${n} and ${x.shape[j]} for label ${twice} of [${x.shape}], expected one.`);
  const others = labels.flatMap((_, k) => (k === i || k === j ? [] : [k]));
  const flat = reshape(permute(x, [...others, i, j]), [...others.map((k) => x.shape[k]), n * n]);
  return diagonals({ x: slice(flat, { axis: -1, step: n + 1 }), labels: [...others.map((k) => labels[k]), twice] });
}

/** One operand without axes of size 1 that another operand or the result has at full size, and without labels that nobody else wants. */
function reduced({ x, labels }: Labelled, wanted: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((l, i) => (wanted.has(l) ? [] : [i]));
  return axes.length === 0 ? { x, labels } : { x: sum(x, { axes }), labels: labels.filter((l) => wanted.has(l)) };
}

function product(a: Labelled, b: Labelled, wanted: ReadonlySet<string>): Labelled {
  const shared = a.labels.filter((l) => b.labels.includes(l));
  const [batch, inner] = [shared.filter((l) => wanted.has(l)), shared.filter((l) => !wanted.has(l))];
  const [left, right] = [a, b].map((t) => t.labels.filter((l) => !shared.includes(l)));
  const size = (labels: readonly string[]): number[] =>
    labels.map((l) => (a.labels.includes(l) ? a.x.shape[a.labels.indexOf(l)] : b.x.shape[b.labels.indexOf(l)]));
  const labels = [...batch, ...left, ...right];
  const [outer, m, k, n] = [batch, left, inner, right].map((l) => numel(size(l)));
  const rows = reshape(order(a, [...batch, ...left, ...inner]), [outer, m, k]);
  const columns = reshape(order(b, [...batch, ...inner, ...right]), [outer, k, n]);
  const y = inner.length === 0 ? mul(reshape(rows, [outer, m, 1]), reshape(columns, [outer, 1, n])) : matmul(rows, columns);
  return { x: reshape(y, size(labels)), labels };
}

/**
 * Sums of products by labels, as torch.einsum: `einsum('bij,bjk->bik', a, b)`. A label for each axis; those that the result does not name
 * are summed over, and without `->` the result has those that occur once, in the alphabet's order. `...` stands for axes that broadcast, a
 * label twice in one operand for its diagonal; axes of size 1 broadcast. Operands are f32 or f16, all the same. @throws ShapeError for an
 * equation that does not fit the shapes, DTypeError
 */
export const einsum: (equation: string, ...operands: Tensor[]) => Tensor = (equation, ...operands) => many(equation, operands);
const many = door('einsum', { equation: text, operands: listOf(aTensor) }, (equation: string, operands: Tensor[]): Tensor => {
  const { inputs, output } = parse(equation, operands);
  expectDType('einsum', operands, 'f32', 'f16');
  let terms = operands.map((x, i) => diagonals({ x, labels: inputs[i] }));
  const sizes = new Map<string, number>();
  for (const { x, labels } of terms)
    labels.forEach((l, i) => {
      const [d, before = 1] = [x.shape[i], sizes.get(l)];
      if (d !== 1 && before !== 1 && d !== before)
        throw new ShapeError(`einsum: got sizes ${before} and ${d} for label ${l} in ${JSON.stringify(equation)}, expected one.`);
      sizes.set(l, d === 1 ? before : d);
    });
  // An axis of size 1 that others have at full size says nothing.
  terms = terms.map(({ x, labels }) => {
    const kept = labels.filter((l, i) => x.shape[i] === sizes.get(l));
    return {
      x:
        kept.length === labels.length
          ? x
          : reshape(
              x,
              kept.map((l) => sizes.get(l)!),
            ),
      labels: kept,
    };
  });
  const needed = (from: number): Set<string> => new Set([...output, ...terms.slice(from).flatMap((t) => t.labels)]);
  let result = reduced(terms[0], needed(1));
  for (let i = 1; i < terms.length; i++) {
    const others = needed(i + 1);
    result = product(result, reduced(terms[i], new Set([...others, ...result.labels])), others);
    result = reduced(result, others);
  }
  return order(result, output);
});
