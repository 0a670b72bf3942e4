/** Processes, files, system calls, sysctl, /proc; and the slots in which the other rooms of a kernel meet. */
export * from './errno.ts'
export * from './file.ts'
export * from './host.ts'
export * from './image.ts'
export * from './signal.ts'
export * from './sys.ts'
export * from './wait.ts'
