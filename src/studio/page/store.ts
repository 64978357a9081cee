// SPDX-License-Identifier: MIT
// One state for the whole page: changed by `set`, looked at by components through `useStudio`.
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Studio } from './studio.ts';
import type { State } from './state.ts';

export class Store {
  private readonly listeners = new Set<() => void>();
  constructor(private state: State) {}
  get(): State {
    return this.state;
  }
  set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

export const StudioContext = createContext<Studio | null>(null);
export const useStudio = (): Studio => useContext(StudioContext)!;

/** Part of the state; the component is drawn again when this part changed. */
export function useSelect<T>(select: (state: State) => T): T {
  const { store } = useStudio();
  const [value, show] = useState<{ of: T }>({ of: select(store.get()) });
  useEffect(() => {
    const look = (): void => {
      const of = select(store.get());
      show((last) => (Object.is(last.of, of) ? last : { of }));
    };
    look();
    return store.subscribe(look);
  }, [store]);
  return value.of;
}
