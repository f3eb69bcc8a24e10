/**
 * Views as data: `h` describes, `patch` makes the document agree.
 *
 * Text goes in as text nodes and attributes only, so data can never become
 * markup. `patch` keeps existing elements where tag and key agree, so focus,
 * selection, scroll and open <details> survive a new view.
 *
 * Props: `on…` are listeners; `value`, `checked`, `srcObject` are properties,
 * written only when they differ; `style` is an object set through the CSSOM
 * (allowed under a strict policy); `ref` is called once with the new element;
 * `key` (or `id`) names the element among its siblings; true and false make
 * boolean attributes; everything else is an attribute.
 */

/** @typedef {import('./view').VElement} VElement */
/** @typedef {import('./view').VNode} VNode */
/** @typedef {import('./view').Child} Child */

const SVG = 'http://www.w3.org/2000/svg';
const PROPERTIES = new Set(['value', 'checked', 'srcObject']);

/** What each element was last told to be. @type {WeakMap<Node, VElement>} */
const told = new WeakMap();

/**
 * @param {string} tag
 * @param {Record<string, any> | null} [props]
 * @param {...Child} children
 * @returns {VElement}
 */
export function h(tag, props, ...children) {
  const { key, ...rest } = props ?? {};
  return { tag, key: key ?? rest.id, props: rest, children: flat(children) };
}

/**
 * Drops what is absent and makes text of numbers.
 * @param {readonly Child[]} children
 * @returns {VNode[]}
 */
export function flat(children) {
  /** @type {VNode[]} */
  const out = [];
  for (const child of children) {
    if (child === null || child === undefined || typeof child === 'boolean') continue;
    if (Array.isArray(child)) out.push(...flat(child));
    else out.push(typeof child === 'object' ? /** @type {VElement} */ (child) : String(child));
  }
  return out;
}

/**
 * @param {Element} parent
 * @param {VNode[]} views
 * @param {boolean} [svg]
 */
export function patch(parent, views, svg = parent.namespaceURI === SVG) {
  /** @type {Map<unknown, Node>} */
  const keyed = new Map();
  /** @type {Node[]} */
  const loose = [];
  for (const node of parent.childNodes) {
    const key = told.get(node)?.key;
    if (key === undefined) loose.push(node);
    else keyed.set(key, node);
  }
  let from = 0;
  const chosen = views.map((view) => {
    if (typeof view === 'object' && view.key !== undefined) {
      const node = keyed.get(view.key);
      if (!node || !agrees(node, view)) return null;
      keyed.delete(view.key);
      return node;
    }
    const at = loose.findIndex((node, index) => index >= from && agrees(node, view));
    if (at < 0) return null;
    from = at + 1;
    return loose.splice(at, 1, /** @type {any} */ (null))[0];
  });
  for (const node of [...keyed.values(), ...loose]) node?.parentNode?.removeChild(node);
  let cursor = parent.firstChild;
  views.forEach((view, index) => {
    const node = chosen[index] ?? create(view, svg);
    if (node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(node, cursor);
    if (typeof view === 'string') {
      if (node.nodeValue !== view) node.nodeValue = view;
    } else update(/** @type {Element} */ (node), view, svg);
  });
}

/**
 * @param {Node | null} node
 * @param {VNode} view
 */
function agrees(node, view) {
  if (!node) return false;
  if (typeof view === 'string') return node.nodeType === Node.TEXT_NODE;
  return told.get(node)?.tag === view.tag;
}

/**
 * @param {VNode} view
 * @param {boolean} svg
 * @returns {Node}
 */
function create(view, svg) {
  if (typeof view === 'string') return document.createTextNode(view);
  const element = svg || view.tag === 'svg' ? document.createElementNS(SVG, view.tag) : document.createElement(view.tag);
  told.set(element, { ...view, props: {}, children: [] });
  return element;
}

/**
 * @param {Element} element
 * @param {VElement} view
 * @param {boolean} svg
 */
function update(element, view, svg) {
  const before = told.get(element)?.props ?? {};
  const { value, ref, ...props } = view.props;
  const isNew = !('ref' in before) && ref !== undefined;
  for (const name of Object.keys(before)) if (!(name in view.props)) set(element, name, null);
  for (const [name, now] of Object.entries(props)) if (now !== before[name] || PROPERTIES.has(name)) set(element, name, now);
  // A custom element's children are its own business.
  if (!view.tag.includes('-')) patch(element, view.children, svg || view.tag === 'svg');
  // After the children: a <select> takes only a value that it has.
  if (value !== undefined) set(element, 'value', value);
  told.set(element, view);
  if (isNew) ref(element);
}

/**
 * @param {any} element
 * @param {string} name
 * @param {any} value
 */
function set(element, name, value) {
  if (name === 'ref') return;
  if (name === 'style') {
    for (const [rule, text] of Object.entries(value ?? {})) element.style.setProperty(rule, text);
  } else if (name.startsWith('on')) {
    element[name.toLowerCase()] = value ?? null;
  } else if (PROPERTIES.has(name)) {
    const wanted = value ?? (name === 'value' ? '' : null);
    if (element[name] !== wanted) element[name] = wanted;
  } else if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? '' : String(value));
  }
}
