// SPDX-License-Identifier: MIT
// The part of cli-progress that is used; the package has no types of its own.
declare module 'cli-progress' {
  export class SingleBar {
    constructor(options: { format: string; stream: NodeJS.WritableStream; clearOnComplete: boolean; hideCursor: boolean });
    readonly isActive: boolean;
    start(total: number, value: number, payload: Record<string, string>): void;
    update(value: number, payload: Record<string, string>): void;
    setTotal(total: number): void;
    stop(): void;
  }
}
