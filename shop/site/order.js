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

/** @param {number} ms */
const after = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** @param {HTMLElement} page */
async function follow(page) {
  let pause = PAUSE_MS;
  let waits = true;
  while (page.dataset.state !== 'cancelled') {
    const { order: address = '', state = '', stands = '' } = page.dataset;
    try {
      if (state === 'paid') {
        // Only what is given back can change any more: that may wait, and takes no place from others.
        waits = false;
        await after(LONGEST_PAUSE_MS);
      }
      const answer = await fetch(waits ? `${address}?known=${stands}` : address, { cache: 'no-store' });
      // Too many wait: this page looks from time to time until there is a place.
      waits = answer.status !== 429;
      if (!waits) {
        await after(Number(answer.headers.get('retry-after')) * 1_000 || LONGEST_PAUSE_MS);
        continue;
      }
      if (!answer.ok) throw new Error(`the shop answers ${answer.status}`);
      const now = await answer.json();
      // What is given back, the server has the words for.
      if (now.stands.slice(now.state.length) !== stands.slice(state.length)) return location.reload();
      page.dataset.stands = now.stands;
      draw(page, now);
      show('[data-alone]', false);
      pause = PAUSE_MS;
    } catch {
      show('[data-alone]', true);
      await after(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }
}

if (order) follow(order);
