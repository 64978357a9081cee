// SPDX-License-Identifier: MIT
// A character model: one transformer block learns a rhyme by heart and goes on where it is begun.
import {
  adamw, add, argmax, attentionPacked, backward, compile, crossEntropy, embedding, gelu, init, LayerNorm, Linear, Module, openDevice, Parameter, spec, type Tensor,
} from 'voxelgrad';

const TEXT = 'one for sorrow, two for joy, three for a girl, four for a boy, five for silver, six for gold, seven for a secret never to be told. ';
const LETTERS = [...new Set(TEXT)].sort();
const [LENGTH, WIDTH, BATCH] = [32, 32, 8];
const codes = (text: string): number[] => [...text].map((c) => LETTERS.indexOf(c));

/** Pre-norm attention over the past, then an MLP. x [B, T, C] -> [B, T, C] */
class Block extends Module {
  norm1 = new LayerNorm(WIDTH);
  qkv = new Linear(WIDTH, 3 * WIDTH);
  proj = new Linear(WIDTH, WIDTH);
  norm2 = new LayerNorm(WIDTH);
  up = new Linear(WIDTH, 4 * WIDTH);
  down = new Linear(4 * WIDTH, WIDTH);
  forward(x: Tensor): Tensor {
    const y = add(x, this.proj.forward(attentionPacked(this.qkv.forward(this.norm1.forward(x)), { heads: 4, causal: true })));
    return add(y, this.down.forward(gelu(this.up.forward(this.norm2.forward(y)))));
  }
}

/** Letters [B, T] (u32) -> logits of each next one [B, T, letters] */
class CharacterModel extends Module {
  token = new Parameter([LETTERS.length, WIDTH], init.normal(0.1));
  position = new Parameter([LENGTH, WIDTH], init.normal(0.1));
  block = new Block();
  norm = new LayerNorm(WIDTH);
  head = new Linear(WIDTH, LETTERS.length);
  forward(text: Tensor): Tensor {
    return this.head.forward(this.norm.forward(this.block.forward(add(embedding(text, this.token), this.position))));
  }
}

using _device = await openDevice();
const net = new CharacterModel().initialise(1);
const opt = adamw(net.parameters(), { lr: 1e-2, clipNorm: 1 });
const step = await compile(({ text, next }) => {
  const loss = crossEntropy(net.forward(text), next);
  opt.step(backward(loss, net.parameters()));
  return { loss };
}, { text: spec([BATCH, LENGTH], 'u32'), next: spec([BATCH, LENGTH], 'u32') });
const guess = await compile(({ text }) => ({ next: argmax(net.forward(text), { axis: -1 }) }), { text: spec([1, LENGTH], 'u32') });

for (let i = 0; i <= 300; i++) {
  opt.lr = 6e-3 * (1 - i / 300);
  const starts = Array.from({ length: BATCH }, (_, j) => (i * 37 + j * 17) % TEXT.length);
  const window = (shift: number): Uint32Array => Uint32Array.from(starts.flatMap((s) => codes((TEXT + TEXT).slice(s + shift, s + shift + LENGTH))));
  const { loss } = step.run({ text: window(0), next: window(1) });
  if (i % 100 === 0) console.log(`iteration ${i}: loss ${(await loss.item()).toFixed(3)}`);
}
let text = TEXT.slice(0, LENGTH);
while (text.length < TEXT.length) text += LETTERS[(await guess.run({ text: Uint32Array.from(codes(text.slice(-LENGTH))) }).next.data())[LENGTH - 1]];
console.log(text);
