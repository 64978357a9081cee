// SPDX-License-Identifier: MIT
// In a page engines/dawn.mjs is this: the browser is one.
import { collect } from '../engines/collect.mjs';

export const browserLike = () => collect(navigator.gpu);
