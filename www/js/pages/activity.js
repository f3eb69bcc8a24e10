/** Activity: payments by day, one in detail with its proof, and all of it as CSV. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { accountOf, ago, amount, answered, bones, button, copyable, empty, errorNote, facts, heading, linkButton, tag, who } from '../parts/basic.js';
import { accountName, amountPlain, countText, csvCell, dayName, exactTime, namedAccount, strangersText } from '../format.js';
import { meaning } from '../explain.js';
import { saveText } from '../parts/save.js';
import { statusLine } from './pay.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').Payment} Payment */

const ROWS = 50;
/** More than this many pages are not asked for at once when exporting. */
const EXPORT_ROWS = 200;

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function activityPage(app) {
  /** @type {string[]} */
  const older = [];
  return {
    title: 'Activity',
    view: () => {
      const pages = [null, ...older].map((before) => app.use('activity', { before, limit: ROWS }));
      const payments = pages.flatMap(({ value }) => value?.payments ?? []);
      const next = pages.at(-1)?.value?.next ?? null;
      return [
        heading('Activity', payments.length > 0 && button('Save as CSV', { icon: 'save', slim: true, busy: app.doing('csv'), onclick: () => app.act('csv', () => saveCsv(app)) })),
        app.problem('csv') && errorNote(/** @type {any} */ (app.problem('csv'))),
        answered(pages[0], () => (payments.length === 0
          ? h('section', { class: 'card' }, empty('activity', 'Nothing here yet', 'Payments appear here the moment they begin. What you sign for the chain is under On-chain.', linkButton('Pay', to('pay'), { main: true }), linkButton('Receive', to('receive'))))
          : h('section', { class: 'card flush', key: 'list' }, byDay(app, payments))), () => h('div', { class: 'card' }, bones(8))),
        next !== null && h('div', { class: 'row' }, button('Older', { onclick: () => { older.push(next); app.refresh(); } })),
      ];
    },
  };
}

/**
 * @param {App} app
 * @param {Payment[]} payments
 */
function byDay(app, payments) {
  /** @type {Map<string, Payment[]>} */
  const days = new Map();
  for (const payment of payments) {
    const day = dayName(payment.createdAt, Date.now(), app.locale);
    days.set(day, [...days.get(day) ?? [], payment]);
  }
  return [...days].map(([day, list]) => h('div', { key: day }, h('h2', { class: 'day' }, day), h('ul', { class: 'rows' }, activityRows(app, list))));
}

/** What a payment is called where there is no description. @param {Payment} payment */
function title(payment) {
  const name = payment.counterparty ? namedAccount(payment.counterparty) : null;
  switch (payment.kind) {
    case 'fee': return name ? `Insurance price to ${name}` : 'Insurance price';
    default: {
      if (payment.description) return strangersText(payment.description);
      if (payment.direction === 'in') return name ? `From ${name}` : 'Received';
      return name ? `To ${name}` : 'Sent';
    }
  }
}

/** @param {Payment} payment */
function stateTag(payment) {
  switch (payment.state) {
    case 'paid': return null;
    case 'failed': return tag('bad', icon('cross', { size: 14 }), 'failed');
    case 'settling': return tag('move', icon('clock', { size: 14 }), 'settling');
    default: return tag('move', icon('clock', { size: 14 }), 'locking');
  }
}

/**
 * @param {App} app
 * @param {Payment[]} payments
 */
export function activityRows(app, payments) {
  return payments.map((payment) => {
    const incoming = payment.direction === 'in';
    const tone = payment.state === 'failed' ? 'bad' : payment.state !== 'paid' ? 'move' : incoming ? 'good' : null;
    const picture = payment.state === 'failed' ? 'cross' : incoming ? 'receive' : 'pay';
    const signed = payment.state === 'failed' ? payment.amount : incoming ? payment.amount : -payment.amount;
    return h('li', { key: payment.id }, h('a', { class: 'item', href: to('payment', payment.id) },
      h('span', { class: 'round', 'data-tone': tone }, icon(picture, { size: 18 })),
      h('span', { class: 'stack tight' }, h('span', { class: 'line' }, title(payment)), h('span', { class: 'sub' }, ago(app, payment.createdAt))),
      h('span', { class: 'stack tight' }, amount(app, payment.asset, signed, { plus: incoming && payment.state === 'paid', tone: incoming && payment.state === 'paid' ? 'plus' : 'minus' }), stateTag(payment))));
  });
}

/**
 * @param {App} app
 * @param {string[]} path
 * @returns {import('../app.js').Page}
 */
export function paymentPage(app, [id = '']) {
  return {
    title: 'Payment',
    view: () => [
      h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: to('activity') }, 'Activity'), h('span', null, '› Payment')),
      answered(app.use('payment', { id }), (payment) => paymentView(app, payment), () => h('div', { class: 'card' }, bones(6))),
    ],
  };
}

/**
 * @param {App} app
 * @param {import('../api').PaymentDetails} payment
 */
function paymentView(app, payment) {
  const incoming = payment.direction === 'in';
  return [
    heading(title(payment)),
    h('section', { class: 'card', key: 'sum' },
      h('p', null, amount(app, payment.asset, incoming || payment.state === 'failed' ? payment.amount : -payment.amount, { big: true, plus: incoming && payment.state === 'paid' })),
      statusLine(app, payment),
      payment.error && errorNote(payment.error),
      facts(
        payment.counterparty && [incoming ? 'From' : 'To', accountOf(payment.counterparty)],
        payment.description !== null && ['For', h('span', { class: 'stranger' }, strangersText(payment.description))],
        !incoming && ['Fee', payment.fee === 0n ? 'none' : amount(app, payment.asset, payment.fee)],
        ['Started', exactTime(payment.createdAt, app.locale)],
        payment.endedAt !== null && ['Ended', exactTime(payment.endedAt, app.locale)],
        payment.withTower !== null && ['Watchtower', payment.withTower ? 'has it' : 'does not have it yet'],
        payment.height !== null && ['Block', h('a', { href: to('explorer', 'block', payment.height) }, `#${countText(payment.height, app.locale)}`)],
        ...revealed(app, payment),
        payment.route.length > 0 && ['Route', payment.route.flatMap((hop, index) => [index > 0 && ' → ', who(hop)])],
        payment.lockExpiry && ['Lock ends', `${exactTime(payment.lockExpiry.time, app.locale)}, at usable block ${countText(payment.lockExpiry.usable, app.locale)}`])),
    payment.proof !== null && proofCard(app, payment.id, payment.proof, incoming),
    h('section', { class: 'card', key: 'exact' }, h('details', null, h('summary', null, 'Exact'), facts(
      ['Payment', h('code', null, payment.id)],
      payment.hash !== null && ['Hash', copyable(app, payment.hash, 'payment hash')],
      payment.preimage !== null && ['Secret', copyable(app, payment.preimage, 'payment secret')],
      payment.invoice !== null && ['Invoice', copyable(app, payment.invoice, 'invoice')],
      payment.attempts.length > 0 && ['Attempts', h('ol', { class: 'stack tight' }, payment.attempts.map((attempt, index) => h('li', { key: index },
        `${exactTime(attempt.startedAt, app.locale)}: ${attempt.state}`, attempt.route.length > 0 && [' via ', attempt.route.map(accountName).join(', ')], attempt.error && `, ${meaning(attempt.error).title}`)))]))),
  ];
}

/**
 * What proves the payment to anybody. Of one that came in it is for the payer.
 * @param {App} app
 * @param {string} id
 * @param {string} proof
 * @param {boolean} incoming
 */
function proofCard(app, id, proof, incoming) {
  const [title, name, says] = incoming
    ? ['Receipt', 'receipt', 'Your signature that it was paid, how much and when. Give it to the payer; anybody can check it offline.']
    : ['Proof of payment', 'proof', 'The invoice signed by the payee with the secret that only payment reveals. Anybody can check it offline.'];
  return h('section', { class: 'card', key: 'proof' }, h('header', null, h('h2', null, title)),
    h('p', { class: 'muted small' }, says),
    copyable(app, proof, name),
    h('div', { class: 'row' }, button(`Save ${name}`, { icon: 'save', slim: true, onclick: () => saveText(`${name}-${id.slice(0, 12)}.txt`, 'text/plain', proof) }),
      h('a', { href: `${to('proof')}?${new URLSearchParams({ text: proof })}` }, 'What it proves')));
}

/**
 * Where the secret went out on the chain, when the bank did not settle in time.
 * @param {App} app
 * @param {import('../api').PaymentDetails} payment
 * @returns {[string, any][]}
 */
function revealed(app, { hash, direction }) {
  const you = app.use('status').value?.account?.key;
  if (!you || hash === null || direction === 'out') return [];
  const recent = app.use('account', { account: you }).value?.recent ?? [];
  const found = recent.find(({ batch }) => batch?.signer.you && batch.operations.some(({ operation }) => operation.kind === 'reveal' && operation.hashes.includes(hash)));
  return found ? [['Secret revealed', ['on the chain, in ', h('a', { href: to('explorer', 'block', found.height) }, `block #${countText(found.height, app.locale)}`), ', because the bank did not settle in time; from then on it counts in court']]] : [];
}

/** @param {App} app */
async function saveCsv(app) {
  saveCsvOf(app, 'fair-activity.csv', await paymentsSince(app, 0));
}

/**
 * All payments that began at this time or later, newest first.
 * @param {App} app
 * @param {number} since
 */
export async function paymentsSince(app, since) {
  /** @type {Payment[]} */
  const all = [];
  let before = null;
  do {
    const page = /** @type {import('../api').ActivityPage} */ (await app.client.activity({ before, limit: EXPORT_ROWS }));
    all.push(...page.payments);
    before = (all.at(-1)?.createdAt ?? 0) < since ? null : page.next;
  } while (before !== null);
  return all.filter(({ createdAt }) => createdAt >= since);
}

/**
 * @param {App} app
 * @param {string} name of the file
 * @param {Payment[]} payments
 */
export function saveCsvOf(app, name, payments) {
  const head = ['id', 'time', 'direction', 'kind', 'state', 'asset', 'amount', 'fee', 'counterparty', 'description', 'error'];
  const lines = payments.map((payment) => {
    const { ticker, decimals } = app.asset(payment.asset);
    const signed = payment.direction === 'in' ? payment.amount : -payment.amount;
    return [payment.id, new Date(payment.createdAt).toISOString(), payment.direction, payment.kind, payment.state, ticker, amountPlain(signed, decimals),
      amountPlain(payment.fee, decimals), payment.counterparty?.key ?? '', payment.description ?? '', payment.error?.code ?? ''].map(csvCell).join(',');
  });
  saveText(name, 'text/csv', [head.join(','), ...lines, ''].join('\r\n'));
}
