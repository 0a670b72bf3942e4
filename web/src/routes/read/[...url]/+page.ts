/** `/entry/https://example.com/` is another address than the one without the slash. */
export const trailingSlash = 'ignore'
