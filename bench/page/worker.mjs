// SPDX-License-Identifier: MIT
// One engine in a worker of its own, driven by main.mjs: what one leaves behind does not slow another.
import { driver } from '../driver.mjs';
import { ENGINES } from 'engines'; // those that were there when the page was built (build.mjs)

const stopwatch = () => {
  const start = performance.now();
  return () => performance.now() - start;
};
const answer = driver(ENGINES[new URL(self.location.href).searchParams.get('engine')], stopwatch);
self.addEventListener('message', ({ data: { id, ...message } }) => {
  void answer(message).then((found) => self.postMessage({ id, ...found }, {}));
});
