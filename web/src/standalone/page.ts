/** The script of an article in one file: its data stand in the page, its worker in this script. Nothing is fetched. */
import '$lib/styles/tokens.css'
import '$lib/styles/base.css'
import { mount } from 'svelte'
import type { ArticleView } from '$lib/article.ts'
import LabWorker from '$lib/lab/worker.ts?worker&inline'
import { isLocale, overwriteGetLocale } from '$lib/paraglide/runtime'
import { ENDLESS } from './endless.ts'
import Standalone from './Standalone.svelte'

interface Data {
  article: ArticleView
  session?: string
}

const revive = (_: string, value: unknown) => (value === ENDLESS ? Number.POSITIVE_INFINITY : value)
const data = JSON.parse(document.getElementById('article')!.textContent!, revive) as Data
const { lang } = document.documentElement
overwriteGetLocale(() => (isLocale(lang) ? lang : 'en'))
mount(Standalone, {
  target: document.body,
  props: { article: data.article, session: data.session ?? location.hash.slice(1), startWorker: () => new LabWorker() },
})
