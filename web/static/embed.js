// <script src="https://ROOM/embed.js" data-article="NAME" async></script> puts an article with its lab into a page. It stands in a
// frame of its own, in a sandbox: it can't reach the page, nor the page's cookies.
{
  const script = document.currentScript
  const { article = '', height = '640', session = '' } = script.dataset
  const frame = document.createElement('iframe')
  frame.src = `${new URL(script.src).origin}/embed/${encodeURIComponent(article)}${session === '' ? '' : `#${encodeURI(session)}`}`
  frame.title = article
  frame.loading = 'lazy'
  frame.setAttribute('sandbox', 'allow-scripts allow-downloads')
  frame.style.cssText = `width: 100%; height: ${Number.parseInt(height, 10) || 640}px; border: 1px solid #8888`
  script.after(frame)
}
