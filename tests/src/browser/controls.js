// What can be used on a page, and how it shows itself. Runs inside the page under test, after find.js.

const USABLE = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';

// What a finger needs: the smallest height and width of what stands by itself, in CSS pixels.
const FINGER = 44;
const THIN = 24;

function inWords(element) {
  return `<${element.localName} ${element.className || element.id}> ${tidy(element.innerText || element.getAttribute('aria-label')).slice(0, 60)}`;
}

// All elements in the order in which they are shown, also inside open shadow roots.
function* inOrder(root = document) {
  for (const child of root.children) {
    yield child;
    if (child.shadowRoot) yield* inOrder(child.shadowRoot);
    yield* inOrder(child);
  }
}

// What an element is in, also out of a shadow root.
function parentOf(element) {
  return element.parentElement ?? element.getRootNode().host ?? null;
}

// Browsers let the keyboard scroll what has no control inside. What is part of a line has no height of its own.
function scrolls(one) {
  return one.clientHeight > 0 && one.scrollHeight > one.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(one).overflowY) && !one.querySelector(USABLE);
}

// All that the keyboard comes to, in its order. Of radio buttons with one name it reaches the chosen one, or the first.
function usable() {
  return [...inOrder()].filter((one) => (one.matches(USABLE) || scrolls(one)) && isVisible(one) && isEnabled(one) && (one.type !== 'radio'
    || one === (document.querySelector(`[name=${one.name}]:checked`) ?? document.querySelector(`[name=${one.name}]`))));
}

// What is too small for a finger. A link within text may be as small as its words.
function tooSmall() {
  return all(USABLE).filter((one) => isVisible(one) && isEnabled(one)).flatMap((one) => {
    const box = (one.matches('[type=radio], [type=checkbox]') ? one.closest('label') ?? one : one).getBoundingClientRect();
    if (one.matches('.skip') || (one.matches('a:not([class]), .who') && !one.matches('nav a, .row > a:not(.who)'))) return [];
    return box.height < FINGER || box.width < THIN ? [`${inWords(one)}: ${Math.round(box.width)} × ${Math.round(box.height)} px`] : [];
  });
}

// Contrast that text needs with its ground: small, and from 24 px on or bold from 18.66 px on.
const CONTRAST = 4.5;
const CONTRAST_LARGE = 3;

function colour(text) {
  const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number);
  return { parts: [red, green, blue], alpha };
}

function over({ parts, alpha }, ground) {
  return parts.map((part, index) => part * alpha + ground[index] * (1 - alpha));
}

// What a page without a ground of its own stands on.
function canvas() {
  const probe = document.createElement('i');
  probe.style.color = 'Canvas';
  document.documentElement.append(probe);
  const { parts } = colour(getComputedStyle(probe).color);
  probe.remove();
  return parts;
}

// What an element stands on, or null for a picture.
function groundOf(element) {
  if (!element) return canvas();
  const { backgroundColor, backgroundImage } = getComputedStyle(element);
  if (backgroundImage !== 'none') return null;
  const own = colour(backgroundColor);
  const below = own.alpha === 1 ? own.parts : groundOf(parentOf(element));
  return below && over(own, below);
}

function luminance(parts) {
  const [red, green, blue] = parts.map((part) => (part <= 10 ? part / 3295 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

// Text that is hard to read on its ground. What is disabled may be.
function faint() {
  const found = new Set();
  for (const element of inOrder(document.body)) {
    const text = tidy([...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.nodeValue).join(' '));
    if (text === '' || !isVisible(element) || element.closest(':disabled, .unseen, .skip, noscript, option')) continue;
    const ground = groundOf(element);
    if (ground === null) continue;
    const style = getComputedStyle(element);
    const own = colour(style.color);
    for (let around = element; around; around = parentOf(around)) own.alpha *= Number(getComputedStyle(around).opacity);
    const [dark, light] = [luminance(over(own, ground)), luminance(ground)].sort((a, b) => a - b);
    const contrast = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (isLarge ? CONTRAST_LARGE : CONTRAST)) found.add(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return [...found];
}

// Why nobody sees that this has the focus, or an empty text. `isScrolled`: the page has come to where it is.
function unseen(one, isScrolled) {
  const style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  // `auto` is the browser's own.
  if (style.outlineStyle !== 'auto' && (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2)) return 'no outline';
  const reach = parseFloat(style.outlineOffset);
  const isCut = (clip) => box.left - reach <= clip.left || box.right + reach >= clip.right;
  if (isCut({ left: -1, right: innerWidth + 1 })) return 'its outline is cut off by the screen';
  for (let around = parentOf(one); around && around !== document.documentElement; around = parentOf(around)) {
    if (getComputedStyle(around).overflowX !== 'visible' && isCut(around.getBoundingClientRect())) return `its outline is cut off by ${inWords(around)}`;
  }
  if (!isScrolled) return '';
  if (box.bottom < 0 || box.top > innerHeight) return 'out of sight';
  // Bars stay where they are; a part of what is tall may be below one.
  const bar = document.elementFromPoint((box.left + box.right) / 2, Math.max(box.top, 0) + 2)?.closest('.places, .batchbar');
  return bar && !bar.contains(one) ? `below ${inWords(bar)}` : '';
}

function focused() {
  let one = document.activeElement;
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  return one;
}

// From the first control on, every key notes whether the focus has come to the next one, and shows. Returns how many there
// are. What a page adds or takes away meanwhile is counted as it stands then.
function beginWalk(isScrolled) {
  const [first, ...others] = usable();
  first?.focus();
  const walk = { at: first, steps: 1, wrong: [] };
  walk.look = () => {
    const one = focused();
    if (one === walk.at) return;
    const order = usable();
    const next = order[order.indexOf(walk.at) + 1];
    if (one !== next) walk.wrong.push(`${inWords(one)} instead of ${next ? inWords(next) : 'nothing'}`);
    const why = unseen(one, isScrolled);
    if (why !== '') walk.wrong.push(`${inWords(one)}: ${why}`);
    walk.at = one;
    walk.steps += 1;
  };
  addEventListener('keydown', walk.look, { capture: true });
  window.walk = walk;
  return first ? others.length + 1 : 0;
}

function endWalk() {
  window.walk.look();
  removeEventListener('keydown', window.walk.look, { capture: true });
  const { steps, wrong } = window.walk;
  return { steps, wrong };
}
