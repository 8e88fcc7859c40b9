/**
 * Building elements without ever parsing a string as HTML: names of accounts and messages come from banks, and the
 * page's policy (Trusted Types) forbids the parsing sinks altogether.
 */

const SVG = 'http://www.w3.org/2000/svg';

const ICONS = {
  alert:
    'M12 8.500v4.500m0 3.500v.01M10.3 4.3 2.9 17a2 2 0 0 0 1.7 3h14.800a2 2 0 0 0 1.7-3L13.7 4.300a2 2 0 0 0-3.4 0Z',
  bank: 'M3.5 9.5 12 4l8.5 5.500M5 9.500h14M6.5 12.500v5m4-5v5m3-5v5m4-5v5M4 20.500h16',
  check: 'm5 12.5 4.5 4.500L19 7.5',
  chevron: 'm8 10 4 4 4-4',
  clock: 'M12 7.500V12l3 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z',
  close: 'M6.5 6.500l11 11m0-11-11 11',
  cloud: 'M4 4l16 16M8.2 8.300A5 5 0 0 0 7 18h9m3-.500A4 4 0 0 0 17 10a6 6 0 0 0-5.5-4',
  cross: 'M15 9l-6 6m0-6 6 6M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z',
  leave: 'M14 5H6.500A1.5 1.5 0 0 0 5 6.500v11A1.5 1.5 0 0 0 6.5 19H14m-4-7h10m0 0-3.5-3.500M20 12l-3.5 3.5',
  minus: 'M6 12h12',
  pencil: 'M4.5 19.5 5.5 15 16 4.5 19.5 8 9 18.500l-4.5 1Z',
  plus: 'M12 5v14M5 12h14',
  search: 'm20 20-4.3-4.300M17.5 10.800a6.7 6.7 0 1 1-13.5 0 6.7 6.7 0 0 1 13.5 0Z',
};

/** A decorative icon: the text beside it carries the meaning. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * An element. `props`: `on` {event: listener}, `data` {name: value}; anything else is an attribute, where `true` is an
 * empty attribute and null, undefined and false leave it out. Children are nodes or text; empty ones are left out.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === 'data') Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...present(children));
  return element;
}

const isPresent = (child) => child !== null && child !== undefined && child !== false && child !== '';

const present = (children) => children.flat(2).filter(isPresent);

/** Replaces what is inside, with the same freedom about children as `h`. */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/**
 * A button that says `why` when it is pressed and cannot do its work.
 * @param {(why: string) => void} tell
 */
export function unusable(element, why, tell) {
  element.classList.add('unusable');
  element.setAttribute('aria-disabled', 'true');
  element.title = why;
  element.addEventListener('click', () => tell(why));
  return element;
}

/**
 * A button that stays focusable while its work is under way, so that the keyboard does not lose its place.
 * @param {string|(string|Node)[]} label
 * @param {{kind?: string, icon?: string, action?: (element: HTMLElement) => unknown, [name: string]: unknown}} [props]
 */
export function button(label, { kind = 'quiet', icon: iconName, action, ...props } = {}) {
  const element = h('button', { type: 'button', class: `button ${kind}`, ...props },
    iconName && icon(iconName), h('span', {}, label));
  if (action) {
    element.addEventListener('click', async () => {
      if (element.getAttribute('aria-disabled') === 'true') return;
      element.setAttribute('aria-disabled', 'true');
      element.classList.add('busy');
      try {
        await action(element);
      } finally {
        element.removeAttribute('aria-disabled');
        element.classList.remove('busy');
      }
    });
  }
  return element;
}

/** Runs `change`, then puts the focus back on the element with the same `data-key` when `change` replaced it. */
export function keepingFocus(root, change) {
  const active = /** @type {HTMLElement|null} */ (document.activeElement);
  const key = active && root.contains(active) ? active.dataset.key : undefined;
  change();
  if (key !== undefined && !(active.isConnected && document.activeElement === active)) {
    root.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  }
}
