// Elements. Whatever is not an element is put in as text.

export type Child = Element | string | number | null | undefined | false | Child[];
type Props = Record<string, string | number | boolean | undefined | ((e: any) => void)>;

function fill(e: Element, props: Props | null, children: Child[]): void {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (typeof value === "function") e.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) e.setAttribute(name, value === true ? "" : String(value));
  }
  append(e, children);
}

function append(e: Element, children: Child[]): void {
  for (const c of children) {
    if (Array.isArray(c)) append(e, c);
    else if (c !== null && c !== undefined && c !== false) e.append(typeof c === "number" ? String(c) : c);
  }
}

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props | null, ...children: Child[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  fill(e, props, children);
  return e;
}

export function s<K extends keyof SVGElementTagNameMap>(tag: K, props: Props | null, ...children: Child[]): SVGElementTagNameMap[K] {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(e, props, children);
  return e;
}

// place sets styles: the page's policy allows no style attributes.
export function place<E extends HTMLElement | SVGElement>(e: E, styles: Record<string, string>): E {
  for (const [name, value] of Object.entries(styles)) e.style.setProperty(name, value);
  return e;
}
