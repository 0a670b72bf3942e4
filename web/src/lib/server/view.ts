/** An article's text as its page gets it: parsed, rendered, its lab laid out. It needs neither a server nor a folder. */
import { toHtml } from 'hast-util-to-html'
import { type Article, type ParseOptions, parseArticle } from '#article/format'
import type { ArticleView, BlockView } from '$lib/article.ts'
import { highlight } from './highlight.ts'
import { drawLab } from './picture.ts'
import { renderArticle } from './render.ts'

/** The view of one language; `languages` is for who knows what stands beside it. */
export async function viewText(
  name: string,
  text: string,
  { file, footnotes, readFile }: { file: string; footnotes: string; readFile?: ParseOptions['readFile'] },
): Promise<{ article: Article; view: ArticleView }> {
  const { article, mistakes } = parseArticle(text, file, readFile ? { readFile } : {})
  const runs = article.lab && mistakes.length === 0
  const view: ArticleView = {
    name,
    lang: article.front.lang,
    title: article.front.title || name,
    summary: article.front.summary,
    keywords: article.front.keywords,
    languages: [article.front.lang],
    pieces: await renderOrShow(article, footnotes),
    blocks: await Promise.all(article.blocks.map(viewBlock)),
    mistakes: mistakes.map(({ at, what, hint }) => ({ line: at.line, column: at.column, what, hint })),
    lab: runs
      ? {
          plan: article.lab!,
          blocks: article.blocks,
          wide: await drawLab(article.lab!, 'wide'),
          tall: await drawLab(article.lab!, 'tall'),
        }
      : undefined,
    file,
  }
  return { article, view }
}

/** What nests beyond any reader's patience, and the renderer's stack, is shown as it is written. */
async function renderOrShow(article: Article, footnotes: string): Promise<ArticleView['pieces']> {
  try {
    return await renderArticle(article, footnotes)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const text = article.text.slice(article.bodyOffset)
    return [
      { html: toHtml({ type: 'element', tagName: 'pre', properties: {}, children: [{ type: 'text', value: text }] }) },
    ]
  }
}

export async function viewBlock(block: Article['blocks'][number]): Promise<BlockView> {
  const line = block.at.line
  if (block.kind === 'file') {
    const extension = /\.([a-z0-9]+)$/u.exec(block.path)?.[1]
    const language = block.content.startsWith('#!')
      ? 'bash'
      : extension === 'conf' || extension === 'cf'
        ? 'ini'
        : extension
    const html = toHtml({ type: 'root', children: await highlight(block.content.replace(/\n$/u, ''), language) })
    return { kind: 'file', line, host: block.host, path: block.path, html }
  }
  const commands = await Promise.all(
    block.commands.map(async ({ host, prompt, command, expected }) => ({
      host,
      prompt,
      // A continued line is shown as a shell shows it.
      html: toHtml({
        type: 'root',
        children: await highlight(command, host === 'lab' ? undefined : 'bash'),
      }).replaceAll('\n', '\n<span class="more">&gt; </span>'),
      expected,
    })),
  )
  return { kind: 'console', line, checked: !block.nocheck, skipped: block.skip.includes('sim'), commands }
}
