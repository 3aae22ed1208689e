// Elements and text for the page: all that it needs instead of a framework.

type Child = Node | string | number | null | false;
type Props = Readonly<Record<string, string | number | boolean | ((event: never) => void)>>;

const SVG = 'http://www.w3.org/2000/svg';

function filled<E extends Element>(element: E, props: Props, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') {
      element.addEventListener(name, value as unknown as EventListener);
    } else if (value === true) element.setAttribute(name, '');
    else if (value !== false) element.setAttribute(name, String(value));
  }
  for (const child of children) {
    if (child !== null && child !== false) {
      element.append(typeof child === 'number' ? String(child) : child);
    }
  }
  return element;
}

/** An element; a property that is a function listens for the event of its name. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), props, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS(SVG, tag), props, children);
}

/** Text of an element, touched only when it is another. */
export function put(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `12,345`. */
export function count(n: number): string {
  return GROUPED.format(n);
}

/** `12.3 M`: three digits and a unit of thousands. */
export function short(n: number): string {
  const units = ['', ' k', ' M', ' G', ' T'];
  let at = 0;
  while (Math.abs(n) >= 999.5 && at < units.length - 1) {
    n /= 1000;
    at++;
  }
  const digits = at === 0 || Math.abs(n) >= 99.95 ? 0 : Math.abs(n) >= 9.995 ? 1 : 2;
  return `${n.toFixed(digits)}${units[at]}`;
}

/** Octets: `1.46 kB`. */
export function octets(n: number): string {
  const text = short(n);
  return text.includes(' ') ? `${text}B` : `${text} B`;
}

/** A span of time: `12.3 ms`. */
export function span(us: number): string {
  if (us === 0) return '0';
  if (us < 1000) return `${us.toFixed(0)} µs`;
  if (us < 1e6) return `${(us / 1e3).toFixed(us < 1e4 ? 2 : 1)} ms`;
  return `${(us / 1e6).toFixed(us < 1e7 ? 2 : 1)} s`;
}

let epochUs = 0;

/** Moments are times of day from now on; at 0, seconds since the beginning. */
export function clock(us: number): void {
  epochUs = us;
}

/** A moment: the time of day, or in the laboratory seconds since the beginning. */
export function moment(us: number): string {
  if (epochUs === 0) return (us / 1e6).toFixed(6);
  const whole = Math.round(epochUs + us);
  const time = new Date(whole / 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
  return `${day}.${String(whole % 1e6).padStart(6, '0')}`;
}

/** The value of a custom property of the style sheet. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function empty(text: string): HTMLElement {
  return h('p', { class: 'empty' }, text);
}
