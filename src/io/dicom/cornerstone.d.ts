// SPDX-License-Identifier: MIT
// The part of Cornerstone's codecs that codecs.ts uses; the packages bring no types.
interface CornerstoneDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  decode(): void;
  delete(): void;
}
type CornerstoneCodec = Readonly<Record<string, new () => CornerstoneDecoder>>;
type CornerstoneFactory = (options: { print: () => void; printErr: () => void }) => Promise<CornerstoneCodec>;

declare module '@cornerstonejs/codec-charls/decode' {
  const factory: CornerstoneFactory;
  export default factory;
}
declare module '@cornerstonejs/codec-charls/decodewasmjs' {
  const factory: CornerstoneFactory;
  export default factory;
}
declare module '@cornerstonejs/codec-openjpeg/decode' {
  const factory: CornerstoneFactory;
  export default factory;
}
declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  const factory: CornerstoneFactory;
  export default factory;
}
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decode' {
  const factory: CornerstoneFactory;
  export default factory;
}
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  const factory: CornerstoneFactory;
  export default factory;
}
