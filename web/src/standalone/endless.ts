/** What stands for Infinity in a page's JSON. */
export const ENDLESS = '\u0000endless'
