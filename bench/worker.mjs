// SPDX-License-Identifier: MIT
// One engine in a process of its own, driven by run.mjs over IPC.
import { stopwatch } from './clock.mjs';
import { driver } from './driver.mjs';

const [name, clock] = process.argv.slice(2);
const answer = driver(() => import(`./engines/${name}.mjs`), stopwatch(clock));

process.on('message', (message) => void answer(message).then((found) => process.send(found)));

// Whoever asked is gone.
process.on('disconnect', () => process.exit());
