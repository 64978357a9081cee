// SPDX-License-Identifier: MIT
// In a page engines/tensorflow.mjs is this: TensorFlow.js with all gradients, in the page's own bundle.
export async function importTensorFlow() {
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-core/dist/register_all_gradients');
  await import('@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops');
  await import('@tensorflow/tfjs-backend-webgpu');
  return tf;
}
