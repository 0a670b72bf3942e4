/** What can be told of a page by looking at it: its language, how long it takes to read, and what kind of thing it is. */
import type { Medium } from './entry.ts'

/** `ja`, `en`, or empty if the text says neither: by its script, since a page's own word is often its template's. */
export function languageOf(text: string): string {
  const sample = text.slice(0, 20_000)
  const kana = sample.match(/[\p{Script=Hiragana}\p{Script=Katakana}]/gu)?.length ?? 0
  const han = sample.match(/\p{Script=Han}/gu)?.length ?? 0
  const latin = sample.match(/\p{Script=Latin}/gu)?.length ?? 0
  const hangul = sample.match(/\p{Script=Hangul}/gu)?.length ?? 0
  const letters = kana + han + latin + hangul
  if (letters < 12) return kana > 0 ? 'ja' : ''
  if (hangul * 4 > letters) return 'ko'
  // Commands and names are Latin in any language: a tenth of kana makes it Japanese.
  if (kana * 10 >= letters || (kana > 0 && (kana + han) * 3 >= letters)) return 'ja'
  if (han * 2 > letters) return 'zh'
  if (latin * 10 < letters * 9) return ''
  const words = sample.toLowerCase().match(/[a-z']+/gu) ?? []
  const common = words.filter((word) => ENGLISH.has(word)).length
  return common * 12 >= words.length ? 'en' : ''
}

const ENGLISH = new Set(
  'the of and to in is that for it with as are on be this by an or from not at you can how what when a'.split(' '),
)

const JAPANESE_PER_MINUTE = 500
const WORDS_PER_MINUTE = 220

/** Minutes, at least one: Japanese by its characters, all else by its words. */
export function readingMinutes(text: string): number {
  const characters = text.match(/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/gu)?.length ?? 0
  const words = text.match(/[\p{Script=Latin}\p{N}][\p{Script=Latin}\p{N}\p{M}_'’.-]*/gu)?.length ?? 0
  return Math.max(1, Math.round(characters / JAPANESE_PER_MINUTE + words / WORDS_PER_MINUTE))
}

export interface MediumEvidence {
  url: string
  title?: string
  contentType?: string
  /** Schema.org's and Open Graph's words: `ScholarlyArticle`, `PresentationDigitalDocument`, `article`. */
  types?: readonly string[]
  /** Names of `<meta>`: citation_title and the like are what libraries of papers write. */
  metas?: readonly string[]
  /** Of its text, in characters. */
  length?: number
  /** Of a PDF's first page: width by height; slides lie. */
  landscape?: boolean
}

const SLIDES =
  /(?:^|\.)(?:speakerdeck\.com|slideshare\.net|docswell\.com|slides\.com|slid\.es|prezi\.com|sli\.dev|noti\.st)$|^docs\.google\.com$/u
const PAPERS =
  /(?:^|\.)(?:arxiv\.org|doi\.org|dl\.acm\.org|ieeexplore\.ieee\.org|usenix\.org|jstage\.jst\.go\.jp|ci\.nii\.ac\.jp|cir\.nii\.ac\.jp|semanticscholar\.org|openreview\.net|eprint\.iacr\.org|ndltd\.ncl\.edu\.tw|hal\.science|researchgate\.net|ipsj\.ixsq\.nii\.ac\.jp|rfc-editor\.org|datatracker\.ietf\.org)$/u

/** What a page is: the stronger evidence first; `other` if there is none. */
export function mediumOf(evidence: MediumEvidence): Medium {
  const types = new Set((evidence.types ?? []).map((type) => type.toLowerCase()))
  const metas = (evidence.metas ?? []).map((meta) => meta.toLowerCase())
  const url = URL.canParse(evidence.url) ? new URL(evidence.url) : undefined
  const host = url?.hostname.replace(/^www\./u, '') ?? ''
  const title = evidence.title ?? ''
  if (types.has('presentationdigitaldocument')) return 'presentation'
  if (types.has('scholarlyarticle') || types.has('thesis') || metas.some((meta) => meta.startsWith('citation_')))
    return 'research'
  if (SLIDES.test(host) && (host !== 'docs.google.com' || url!.pathname.startsWith('/presentation/')))
    return 'presentation'
  if (PAPERS.test(host)) return 'research'
  const type = evidence.contentType ?? ''
  if (/presentation|powerpoint/u.test(type) || /\.(?:pptx?|odp|key)$/iu.test(url?.pathname ?? '')) return 'presentation'
  if (/pdf/u.test(type) || /\.pdf$/iu.test(url?.pathname ?? '')) {
    if (
      evidence.landscape ||
      /slides?|presentation|スライド|発表資料|講演資料/iu.test(`${title} ${url?.pathname ?? ''}`)
    )
      return 'presentation'
    return /paper|thesis|proceedings|論文|研究報告|紀要/iu.test(`${title} ${url?.pathname ?? ''}`)
      ? 'research'
      : 'other'
  }
  const written = ['article', 'newsarticle', 'blogposting', 'techarticle', 'report', 'howto']
  if (written.some((word) => types.has(word))) return 'article'
  if (/\/(?:slides?|presentations?)\//iu.test(url?.pathname ?? '') && (evidence.length ?? 0) < 5000)
    return 'presentation'
  return (evidence.length ?? 0) >= 1200 ? 'article' : 'other'
}
