// SPDX-License-Identifier: MIT
// ONNX models of one node, as protobuf bytes (onnx.proto: ModelProto, GraphProto, NodeProto, AttributeProto, ValueInfoProto).

const varint = (n) => {
  const out = [];
  while (n > 127) {
    out.push((n % 128) + 128);
    n = Math.floor(n / 128);
  }
  out.push(n);
  return out;
};
const integer = (field, n) => [...varint(field * 8), ...varint(n)];
const bytes = (field, content) => [...varint(field * 8 + 2), ...varint(content.length), ...content];
const text = (field, value) => bytes(field, Buffer.from(value, 'utf8'));
const float = (field, v) => [...varint(field * 8 + 5), ...Buffer.from(Float32Array.of(v).buffer)];

const FLOAT = 1;
/** AttributeProto: name 1, f 2, i 3, ints 8, type 20 (1 float, 2 int, 7 ints). */
function attribute(name, value) {
  if (Array.isArray(value)) return [...text(1, name), ...value.flatMap((v) => integer(8, v)), ...integer(20, 7)];
  return Number.isInteger(value)
    ? [...text(1, name), ...integer(3, value), ...integer(20, 2)]
    : [...text(1, name), ...float(2, value), ...integer(20, 1)];
}
const valueInfo = (name, shape) => [
  ...text(1, name),
  ...bytes(
    2,
    bytes(1, [
      ...integer(1, FLOAT),
      ...bytes(
        2,
        shape.flatMap((d) => bytes(1, integer(1, d))),
      ),
    ]),
  ),
];

/** @returns {Uint8Array} a model: y = op(inputs), all float32 */
export function oneNode(op, inputs, y, attributes = {}) {
  const node = [
    ...Object.keys(inputs).flatMap((name) => text(1, name)),
    ...text(2, 'y'),
    ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, v]) => bytes(5, attribute(name, v))),
  ];
  const graph = [
    ...bytes(1, node),
    ...text(2, op),
    ...Object.entries(inputs).flatMap(([name, shape]) => bytes(11, valueInfo(name, shape))),
    ...bytes(12, valueInfo('y', y)),
  ];
  return Uint8Array.from([...integer(1, 9), ...bytes(7, graph), ...bytes(8, integer(2, 18))]); // IR version 9, opset 18
}
