// SPDX-License-Identifier: MIT
// A zip reader for .pth files: stored and deflated entries, zip64, every length checked against the file and every entry
// against its CRC-32.
import { DataError } from '../errors.ts';
import { crc32 } from './crc.ts';
import { inflateRaw } from './inflate_raw.ts';

interface Entry {
  method: number;
  encrypted: boolean;
  crc: number;
  packed: number;
  size: number;
  header: number;
}

const END = 0x06054b50,
  END64 = 0x06064b50,
  LOCATOR64 = 0x07064b50,
  CENTRAL = 0x02014b50,
  LOCAL = 0x04034b50;
const LONG = 0xffffffff;
/** What the entries of a file may unpack to together: weights hardly shrink when they are packed, only bombs grow a hundredfold. */
const ROOM = 64 * 2 ** 20,
  TIMES = 20;

export class ZipFile {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly where: string;
  private readonly entries = new Map<string, Entry>();

  /** Reads the directory. @throws DataError when it is missing, truncated or points outside the file. */
  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.where = where;
    this.readDirectory();
    this.assertHonest();
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Content of one entry. Stored entries are a window into the file, not a copy. */
  read(name: string): Uint8Array {
    const entry = this.entries.get(name);
    if (!entry) throw this.fail(`no entry "${name}"`);
    const start = this.startOf(name, entry);
    if (entry.encrypted) throw this.fail(`entry "${name}" is encrypted`);
    const packed = this.bytes.subarray(start, start + entry.packed);
    const content = entry.method === 0 ? packed : this.inflate(name, entry, packed);
    if (content.length !== entry.size) throw this.fail(`entry "${name}" has ${content.length} bytes, expected ${entry.size}`);
    if (crc32(content) !== entry.crc) throw this.fail(`entry "${name}" has a wrong checksum`);
    return content;
  }

  private startOf(name: string, { header, packed }: Entry): number {
    this.need(header, 30);
    if (this.view.getUint32(header, true) !== LOCAL) throw this.fail(`entry "${name}" has no local header`);
    const start = header + 30 + this.view.getUint16(header + 26, true) + this.view.getUint16(header + 28, true);
    this.need(start, packed);
    return start;
  }

  /** Entries lie one after another, each byte in one of them alone, and unpack to no more than a file of this length may hold. */
  private assertHonest(): void {
    let end = 0,
      unpacked = 0;
    for (const [name, entry] of [...this.entries].sort(([, a], [, b]) => a.header - b.header)) {
      if (entry.header < end) throw this.fail(`entry "${name}" overlaps the one before it`);
      end = this.startOf(name, entry) + entry.packed;
      if (entry.method !== 0) unpacked += entry.size;
    }
    const most = ROOM + TIMES * this.bytes.length;
    if (unpacked > most)
      throw new DataError(
        `${this.where}: zip: its entries unpack to ${unpacked} bytes, expected at most ${most} from a file of ${this.bytes.length}.`,
        'If it is no attack, save the weights again with torch.save, which packs nothing.',
      );
  }

  private inflate(name: string, { method, size }: Entry, packed: Uint8Array): Uint8Array {
    if (method !== 8) throw this.fail(`entry "${name}" has compression method ${method}, expected stored or deflate`);
    try {
      // The bound keeps a crafted entry from unpacking to more than it declares.
      return inflateRaw(packed, Math.max(1, size));
    } catch (cause) {
      throw this.fail(`entry "${name}" does not unpack to ${size} bytes (${(cause as Error).message})`);
    }
  }

  private fail(what: string): DataError {
    return new DataError(`${this.where}: zip: ${what}.`, 'The file is truncated or damaged: copy it again.');
  }

  private need(at: number, length: number): void {
    if (at < 0 || length > this.bytes.length - at) throw this.fail(`${length} bytes at ${at}, got a file of ${this.bytes.length}`);
  }

  private u64(at: number): number {
    const value = this.view.getBigUint64(at, true);
    if (value > BigInt(this.bytes.length)) throw this.fail(`offset or size ${value}, got a file of ${this.bytes.length}`);
    return Number(value);
  }

  private readDirectory(): void {
    // The end record is last, but for a comment of at most 65,535 bytes.
    let end = this.bytes.length - 22;
    for (const stop = Math.max(0, end - 0xffff); end >= stop && this.view.getUint32(end, true) !== END;) end--;
    if (end < 0 || this.view.getUint32(end, true) !== END) throw this.fail('no end of the directory');
    let count = this.view.getUint16(end + 10, true);
    let at = this.view.getUint32(end + 16, true);
    if (end >= 20 && this.view.getUint32(end - 20, true) === LOCATOR64) {
      const end64 = this.u64(end - 12);
      this.need(end64, 56);
      if (this.view.getUint32(end64, true) !== END64) throw this.fail('no zip64 end of the directory');
      count = this.u64(end64 + 32);
      at = this.u64(end64 + 48);
    }
    for (let i = 0; i < count; i++) {
      this.need(at, 46);
      if (this.view.getUint32(at, true) !== CENTRAL) throw this.fail(`entry ${i} of ${count} is not in the directory`);
      const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => this.view.getUint16(at + o, true)) as [
        number,
        number,
        number,
      ];
      this.need(at + 46, nameLength + extraLength + commentLength);
      const name = new TextDecoder().decode(this.bytes.subarray(at + 46, at + 46 + nameLength));
      if (this.entries.has(name)) throw this.fail(`entry "${name}" is there twice`);
      this.entries.set(name, this.readEntry(at, at + 46 + nameLength, extraLength));
      at += 46 + nameLength + extraLength + commentLength;
    }
  }

  private readEntry(at: number, extra: number, extraLength: number): Entry {
    const u32 = (o: number) => this.view.getUint32(at + o, true);
    const entry: Entry = {
      encrypted: (this.view.getUint16(at + 8, true) & 1) === 1,
      method: this.view.getUint16(at + 10, true),
      crc: u32(16),
      packed: u32(20),
      size: u32(24),
      header: u32(42),
    };
    for (let p = extra; p + 4 <= extra + extraLength;) {
      const [id, length] = [this.view.getUint16(p, true), this.view.getUint16(p + 2, true)];
      if (id === 1) {
        // zip64: only the fields that did not fit, in this order
        let q = p + 4;
        for (const field of ['size', 'packed', 'header'] as const) {
          if (entry[field] !== LONG) continue;
          if (q + 8 > p + 4 + length) throw this.fail('zip64 field too short');
          entry[field] = this.u64(q);
          q += 8;
        }
      }
      p += 4 + length;
    }
    return entry;
  }
}
