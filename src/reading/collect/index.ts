/**
 * Pages from the Web (Node): fetched within limits, decoded, their article found, cleaned and kept without losing a command.
 *
 *     const page = await collectPage('https://example.com/arp', { robots: createRobots() })
 *     page.html // sanitised; page.text, page.images, page.consoles[0].commands[0].command
 */
export { whyNotPublic } from './address.ts'
export { type Article, extractArticle, guessLanguage, readingMinutes } from './article.ts'
export { type Decoded, decodeText } from './charset.ts'
export { type CollectedPage, type CollectOptions, collectPage, IMAGE_ADDRESS, readPage } from './collect.ts'
export { type ConsoleBlock, type ConsoleCommand, parseConsole } from './console.ts'
export { afterCheck, checkLink, type LinkCheck, type LinkHistory, type LinkState } from './dead-link.ts'
export { FetchError, type Fetched, type FetchFailure, type FetchOptions, fetchPage, USER_AGENT } from './fetch.ts'
export { IMAGE_LIMITS, type StoredImage, sniffImage } from './images.ts'
export { PDF_LIMITS, type PdfContents, PdfError, readPdf } from './pdf.ts'
export { createRobots, type Robots } from './robots.ts'
export { sanitiseAgain, sanitiseHtml } from './sanitise.ts'
