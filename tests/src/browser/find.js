// Finds elements by what a person reads. Runs inside the page under test.

const CONTROLS = 'button, a[href], summary, input[type=submit], input[type=button], input[type=checkbox],'
  + ' input[type=radio], [role=button], [role=link], [role=tab], [role=menuitem], [role=switch],'
  + ' [role=option], [role=radio], [role=checkbox]';
const FIELDS = 'input:not([type=submit]):not([type=button]):not([type=hidden]), textarea, select,'
  + ' [contenteditable=true], [role=textbox]';

function tidy(text) {
  return (text ?? '').replace(/\s+/g, ' ').trim();
}

// Every element of a selector, also inside open shadow roots.
function all(selector, root = document) {
  const found = [...root.querySelectorAll(selector)];
  for (const element of root.querySelectorAll('*')) {
    if (element.shadowRoot) found.push(...all(selector, element.shadowRoot));
  }
  return found;
}

function isVisible(element) {
  return element.getClientRects().length > 0
    && element.checkVisibility({ opacityProperty: false, visibilityProperty: true });
}

function isEnabled(element) {
  return !element.matches(':disabled') && element.getAttribute('aria-disabled') !== 'true'
    && !element.closest('[inert]');
}

// The names under which an element may be asked for; the first is the accessible one.
function names(element) {
  const root = element.getRootNode();
  const ids = (element.getAttribute('aria-labelledby') ?? '').split(/\s+/).filter(Boolean);
  const named = ids.map((id) => root.getElementById?.(id)?.textContent ?? '').join(' ');
  const labels = [...(element.labels ?? [])].map((label) => label.innerText);
  const own = element.matches('input, textarea, select') ? [] : [element.innerText, element.textContent];
  const value = element.matches('input[type=submit], input[type=button]') ? [element.value] : [];
  return [named, element.getAttribute('aria-label'), ...labels, ...value, ...own,
    element.getAttribute('placeholder'), element.getAttribute('title')].map(tidy).filter(Boolean);
}

// Links that all lead to one place are one choice.
function onePlace(links) {
  return links.length > 1 && links.every((link) => link.matches('a[href]') && link.href === links[0].href);
}

// The one visible, enabled element with this label: exactly so, or else the only one whose label
// begins with it. Null when there is none or the choice is not clear.
function find(kind, label) {
  const candidates = all(kind === 'field' ? FIELDS : CONTROLS).filter((e) => isVisible(e) && isEnabled(e));
  const wanted = tidy(label);
  const exact = candidates.filter((element) => names(element).includes(wanted));
  const dialog = exact.filter((element) => element.closest('dialog[open]'));
  if (dialog.length === 1) return dialog[0];
  if (exact.length === 1 || onePlace(exact)) return exact[0];
  if (exact.length > 1) return null;
  const beginning = candidates.filter((element) => names(element).some((name) => name.startsWith(wanted)));
  return beginning.length === 1 ? beginning[0] : null;
}

// All that is shown, with shadow roots.
function text() {
  const parts = [document.body?.innerText ?? ''];
  for (const host of all('*').filter((element) => element.shadowRoot && isVisible(element))) {
    for (const child of host.shadowRoot.children) parts.push(child.innerText ?? '');
  }
  return parts.join('\n').replace(/[^\S\n]+/g, ' ').replace(/\n\s*/g, '\n').trim();
}
