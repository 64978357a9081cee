// SPDX-License-Identifier: MIT
// Who hears what is remarked about the volumes that a piece of work reads, however deep below it they are read.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Tell } from '../source.ts';

const listener = new AsyncLocalStorage<Tell>();

/** Runs `work`; `tell` hears the remarks of every `readVolume` in it that was given no listener of its own. */
export const hearRemarks = <T>(tell: Tell, work: () => T): T => listener.run(tell, work);

export const heardBy = (): Tell | undefined => listener.getStore();
