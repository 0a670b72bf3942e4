/**
 * Libraries that style by themselves, under a policy without `unsafe-inline`: a style element that a script of ours makes gets
 * the page's nonce, and a style attribute is set by CSSOM, which the policy allows. Text that comes from elsewhere still can't
 * bring a style along: it is parsed, not made by these.
 */
export function allowOwnStyles(document: Document): void {
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.nonce
  const create = document.createElement.bind(document) as (
    name: string,
    options?: ElementCreationOptions,
  ) => HTMLElement
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const element = create(name, options)
    if (nonce && element instanceof HTMLStyleElement) element.nonce = nonce
    return element
  }) as typeof document.createElement
  const set = Element.prototype.setAttribute
  Element.prototype.setAttribute = function (name: string, value: string) {
    if (name === 'style' && this instanceof HTMLElement) this.style.cssText = value
    else if (name === 'style' && this instanceof SVGElement) this.style.cssText = value
    else set.call(this, name, value)
  }
}
