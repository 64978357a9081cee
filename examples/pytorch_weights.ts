// SPDX-License-Identifier: MIT
// Weights from PyTorch: a .pth file (made by data/digits.py) into a module of the same names, and back out as safetensors.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vg from 'voxelgrad';
import { parsePth } from 'voxelgrad/sanet';

/** Fields are named as in the PyTorch class, so names of the state dict are the same: `conv.weight`, `bn.running_mean`, ... */
class Net extends vg.Module {
  conv = new vg.Conv2d(1, 4, 3, { padding: 1 });
  bn = new vg.BatchNorm(4);
  head = new vg.Linear(4 * 4 * 4, 3);
  forward(x: vg.Tensor): vg.Tensor {
    // [N, 8, 8, 1]
    const y = vg.maxPool2d(this.bn.forward(this.conv.forward(x), { relu: true }), { kernel: 2 });
    // PyTorch flattens C, H, W: this layer was trained on that order.
    return this.head.forward(vg.reshape(vg.permute(y, [0, 3, 1, 2]), [x.shape[0], 4 * 4 * 4]));
  }
}

using _device = await vg.openDevice();
const net = new Net();
const file = process.argv[2] ?? 'examples/data/digits.pth';
net.loadStateDict(parsePth(readFileSync(file), file)); // strict: names and shapes must fit, and layouts are turned here
net.eval(); // running statistics, as PyTorch's net.eval()

const predict = await vg.compile(({ x }) => ({ y: net.forward(x) }), { x: vg.spec([1, 8, 8, 1]) });
// One channel: [N, H, W, 1] is [N, 1, H, W] in memory.
const { y } = predict.run({ x: Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * 0.1)) });
console.log(`logits ${Array.from(await y.data(), (v) => v.toFixed(6)).join(' ')}`);

// PyTorch reads it back: net.load_state_dict(safetensors.torch.load_file(path), strict=False)
const out = join(mkdtempSync(join(tmpdir(), 'weights-')), 'digits.safetensors');
writeFileSync(out, vg.encodeSafetensors(await net.stateDict()));
const again = new Net();
again.loadStateDict(vg.parseSafetensors(readFileSync(out), out).tensors);
console.log(`${again.countParameters()} parameters in ${out}: ${[...(await again.stateDict()).keys()].join(', ')}`);
