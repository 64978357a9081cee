// SPDX-License-Identifier: MIT
export interface OperatingSystem {
  readonly id: string;
  readonly version: string;
  readonly like: string;
}
export function system(): OperatingSystem;
export function adviceFor(system: OperatingSystem): string;
