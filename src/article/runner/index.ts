/** Runs articles on a backend, compares what their commands print with what they say, and updates them. */
export * from './backend.ts'
