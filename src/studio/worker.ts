// SPDX-License-Identifier: MIT
// The worker of the page: everything of protocol.ts, by comlink. What fails is told as plain data: comlink would keep an error's text
// alone.
import { expose } from 'comlink';
import { failureOf } from './session/failure.ts';
import { Studio } from './session/studio.ts';

const studio = new Studio();

expose(
  new Proxy(studio, {
    get(target, key) {
      const value = Reflect.get(target, key) as unknown;
      if (typeof value !== 'function') return value;
      return async (...values: unknown[]): Promise<unknown> => {
        try {
          return (await Reflect.apply(value, target, values)) as unknown;
        } catch (error) {
          throw failureOf(error) as unknown as Error;
        }
      };
    },
  }),
);
