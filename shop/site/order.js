/** An order's page follows its order: the shop's server says how it stands as soon as it hears of it. */

const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
/** In these the button itself says how it ended. */
const SAYS_ITSELF = new Set(['waiting', 'pending', 'hint', 'confirmed']);

const order = /** @type {HTMLElement | null} */ (document.querySelector('[data-order]'));
const button = document.querySelector('fair-pay');

/** @param {string} selector @param {boolean} isShown */
function show(selector, isShown) {
  for (const element of document.querySelectorAll(selector)) /** @type {HTMLElement} */ (element).hidden = !isShown;
}

/** @param {HTMLElement} page @param {{state: string, late: boolean}} now */
function draw(page, { state, late }) {
  if (page.dataset.state === state) return;
  page.dataset.state = state;
  for (const words of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll('[data-for]'))) {
    words.hidden = words.dataset.for !== state;
    const title = document.getElementById('state');
    if (!words.hidden && title) title.textContent = words.dataset.title ?? '';
  }
  const isPaid = state === 'paid';
  show('[data-late]', isPaid && late);
  show('[data-receipt]', isPaid);
  show('[data-cancel]', state === 'open' || state === 'expired');
  show('[data-pay]', state === 'open' || state === 'pending' || state === 'expired'
    || (isPaid && SAYS_ITSELF.has(button?.getAttribute('state') ?? '')));
}

/** @param {HTMLElement} page */
async function follow(page) {
  for (let pause = PAUSE_MS; ;) {
    try {
      const answer = await fetch(`${page.dataset.order}?known=${page.dataset.state}`, { cache: 'no-store' });
      if (!answer.ok) throw new Error(`the shop answers ${answer.status}`);
      draw(page, await answer.json());
      show('[data-alone]', false);
      pause = PAUSE_MS;
      if (page.dataset.state === 'paid' || page.dataset.state === 'cancelled') return;
    } catch {
      show('[data-alone]', true);
      await new Promise((resolve) => { setTimeout(resolve, pause); });
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }
}

if (order) follow(order);
