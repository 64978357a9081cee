// SPDX-License-Identifier: MIT
// dLoss/dInput of elementwise ops from g = dLoss/dOutput, in one kernel each: what PyTorch gives at ties, corners and infinities, where a
// product of g with a slope of 0 would be NaN.
import { row } from './row.ts';

/** (g, a, b): the part of a in max(a, b). */
export const maximum = row('maximum_grad', 3, 'share_of_larger(a, b, c)', null);
export const minimum = row('minimum_grad', 3, 'share_of_larger(a, -b, -c)', null);
/** (g, base, exponent) */
export const powBase = row('pow_grad', 3, 'power_grad(a, b, c)', null);
/** (g, base, exponent, result) */
export const powExponent = row('pow_exponent_grad', 4, 'power_grad_exponent(a, b, c, d)', null);
/** (g, base), p1 = p0 - 1 */
export const powScalar = row('pow_scalar_grad', 2, 'select(a * (p0 * power(b, p1)), 0.0, p0 == 0.0)', null);
/** (g, dividend, divisor) */
export const mod = row('mod_grad', 3, '-a * floor_quotient(b, c)', null);
export const fmod = row('fmod_grad', 3, '-a * trunc(b / c)', null);
/** (g, y, x) */
export const atan2Y = row('atan2_y_grad', 3, 'a * atan2_slope(c, b, c)', null);
export const atan2X = row('atan2_x_grad', 3, '-a * atan2_slope(b, b, c)', null);
/** (g, result) */
export const relu = row('relu_grad', 2, 'relu_grad(a, b)', (g, [, y]) => [() => relu([g, y]), null]);
export const sigmoid = row('sigmoid_grad', 2, 'a * b * (1.0 - b)', null);
export const tanh = row('tanh_grad', 2, 'a * (1.0 - b * b)', null);
/** (g, input) from here on */
export const silu = row('silu_grad', 2, 'a * silu_grad(b)', null);
export const gelu = row('gelu_grad', 2, 'a * gelu_grad(b)', null);
export const geluTanh = row('gelu_tanh_grad', 2, 'a * gelu_tanh_grad(b)', null);
export const mish = row('mish_grad', 2, 'a * mish_grad(b)', null);
export const clamp = row('clamp_grad', 2, 'select(0.0, a, b >= p0 && b <= p1)', null);
export const leakyRelu = row('leaky_relu_grad', 2, 'select(a * p0, a, b > 0.0)', null);
export const elu = row('elu_grad', 2, 'select(a * p0 * p2 * exp(b * p2), a * p1, b > 0.0)', null);
export const hardSigmoid = row('hard_sigmoid_grad', 2, 'select(0.0, a * p0, b * p0 + p1 > 0.0 && b * p0 + p1 < 1.0)', null);
export const hardSwish = row('hard_swish_grad', 2, 'hard_swish_grad(a, b)', null);
/** (g, input, slope) */
export const prelu = row('prelu_grad', 3, 'select(a * c, a, b > 0.0)', null);
/** (g, input): the part of the slope */
export const preluSlope = row('prelu_slope_grad', 2, 'select(a * b, 0.0, b > 0.0)', null);

/** (g, result) of a root: 0 at 0 whatever g is (`std`), and 0 times g there (`norm`) */
export const root = row('root_grad', 2, 'select(a * (0.5 / b), 0.0, b == 0.0)', null);
export const rootOfSquares = row('root_of_squares_grad', 2, 'a * select(0.5 / b, 0.0, b == 0.0)', null);
/** (g, result) of the root p0 of a sum of powers, p1 = 1 - 1 / p0 */
export const powerRoot = row('power_root_grad', 2, 'select(a * (p0 * power(b, p1)), 0.0, b == 0.0 && p1 < 0.0)', null);
/** (g, input) of |x|^p0, p1 = p0 - 1 */
export const absPower = row('abs_power_grad', 2, 'a * select(sign(b) * (p0 * power(abs(b), p1)), 0.0, b == 0.0)', null);

export const oneForZero = row('one_for_zero', 1, 'select(a, 1.0, a == 0.0)', null);
export const isZero = row('is_zero', 1, 'select(0.0, 1.0, a == 0.0)', null);
/** (g, input, product of those that are not 0, number of zeros) of a product */
export const prod = row('prod_grad', 4, 'a * product_of_others(b, c, d)', null);

/** (g, logit, target) of the binary cross entropy */
export const bceWithLogits = row('bce_with_logits_grad', 3, 'a * (sigmoid(b) - c)', null);
