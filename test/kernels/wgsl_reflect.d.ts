// The package types its main entry alone, which Node cannot import.
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export { detectRaces } from 'wgsl_reflect';
}
