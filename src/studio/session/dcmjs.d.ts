// SPDX-License-Identifier: MIT
// What is used of dcmjs, which has no types.
declare module 'dcmjs' {
  const dcmjs: { readonly data: { datasetToDict(dataset: object): { write(): ArrayBuffer } } };
  export default dcmjs;
}
