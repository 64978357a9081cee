// SPDX-License-Identifier: MIT
// A character model: one transformer block learns a rhyme by heart and goes on where it is begun.
import * as vg from 'voxelgrad';

const TEXT =
  'one for sorrow, two for joy, three for a girl, four for a boy, five for silver, six for gold, seven for a secret never to be told. ';
const LETTERS = [...new Set(TEXT)].sort();
const [LENGTH, WIDTH, BATCH] = [32, 32, 8];
const codes = (text: string): number[] => [...text].map((c) => LETTERS.indexOf(c));

/** Pre-norm attention over the past, then an MLP. x [B, T, C] -> [B, T, C] */
class Block extends vg.Module {
  norm1 = new vg.LayerNorm(WIDTH);
  qkv = new vg.Linear(WIDTH, 3 * WIDTH);
  proj = new vg.Linear(WIDTH, WIDTH);
  norm2 = new vg.LayerNorm(WIDTH);
  up = new vg.Linear(WIDTH, 4 * WIDTH);
  down = new vg.Linear(4 * WIDTH, WIDTH);
  forward(x: vg.Tensor): vg.Tensor {
    const y = vg.add(x, this.proj.forward(vg.attentionPacked(this.qkv.forward(this.norm1.forward(x)), { heads: 4, causal: true })));
    return vg.add(y, this.down.forward(vg.gelu(this.up.forward(this.norm2.forward(y)))));
  }
}

/** Letters [B, T] (u32) -> logits of each next one [B, T, letters] */
class CharacterModel extends vg.Module {
  token = new vg.Parameter([LETTERS.length, WIDTH], vg.init.normal(0.1));
  position = new vg.Parameter([LENGTH, WIDTH], vg.init.normal(0.1));
  block = new Block();
  norm = new vg.LayerNorm(WIDTH);
  head = new vg.Linear(WIDTH, LETTERS.length);
  forward(text: vg.Tensor): vg.Tensor {
    return this.head.forward(this.norm.forward(this.block.forward(vg.add(vg.embedding(text, this.token), this.position))));
  }
}

using _device = await vg.openDevice();
const net = new CharacterModel().initialise(1);
const opt = vg.adamw(net.parameters(), { lr: 1e-2, clipNorm: 1 });
const letters = vg.spec([BATCH, LENGTH], 'u32');
const learn = ({ text, next }: { text: vg.Tensor; next: vg.Tensor }) => {
  const loss = vg.crossEntropy(net.forward(text), next);
  opt.step(vg.backward(loss, net.parameters()));
  return { loss };
};
const step = await vg.compile(learn, { text: letters, next: letters });
const guess = await vg.compile(({ text }) => ({ next: vg.argmax(net.forward(text), { axis: -1 }) }), { text: vg.spec([1, LENGTH], 'u32') });
for (let i = 0; i <= 300; i++) {
  opt.lr = 6e-3 * (1 - i / 300);
  const starts = Array.from({ length: BATCH }, (_, j) => (i * 37 + j * 17) % TEXT.length);
  const window = (by: number) => Uint32Array.from(starts.flatMap((s) => codes((TEXT + TEXT).slice(s + by, s + by + LENGTH))));
  const { loss } = step.run({ text: window(0), next: window(1) });
  if (i % 100 === 0) console.log(`iteration ${i}: loss ${(await loss.item()).toFixed(3)}`);
}
let text = TEXT.slice(0, LENGTH);
while (text.length < TEXT.length) {
  const { next } = guess.run({ text: Uint32Array.from(codes(text.slice(-LENGTH))) });
  text += LETTERS[(await next.data())[LENGTH - 1]];
}
console.log(text);
