/** Labs as data: the lab file's language, parsed with located errors. */
export type * from './plan.ts'
