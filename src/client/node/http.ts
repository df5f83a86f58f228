/**
 * Node's `http`, taken without `import`: importing it evaluates its lazy exports (`WebSocket` …) and with them loads undici, 4 MB of a
 * small process's memory that nothing here uses.
 */
export const http = process.getBuiltinModule('node:http');
