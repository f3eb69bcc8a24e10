// A shop that sells tea, with Node's own http. docs/merchants.md says how to start it.

import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

const { FAIR_MERCHANT, FAIR_KEY, FAIR_PAYEE, FAIR_WALLET, FAIR_WEBHOOK_SECRET, PORT = '3000' } = process.env;
const FILE = 'orders.json';
const PRICE = 1_200; // 12.00 FRD: amounts are in the asset's smallest unit
const FRD = 1;
const MAX_BODY_BYTES = 65_536;
const script = readFileSync('fair-pay.js');
const webhook = new Webhook(FAIR_WEBHOOK_SECRET ?? '');

/** Orders by id, and the ids of webhooks that were handled. A real shop has these in its database. */
const shop = existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : { orders: {}, seen: {} };

/** On disk before anybody is told. */
function save() {
  writeFileSync(`${FILE}.new`, JSON.stringify(shop), { flush: true });
  renameSync(`${FILE}.new`, FILE);
}

/** Asks the merchant; with `body` it is a POST under the name `name`. */
async function merchant(path, body, name) {
  const headers = { authorization: `Bearer ${FAIR_KEY}`, 'content-type': 'application/json' };
  if (name) headers['idempotency-key'] = name;
  const answer = await fetch(FAIR_MERCHANT + path, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${said.code}: ${said.message}`);
  return said;
}

/** The same invoice for the same order; a new one when it can no longer be paid. */
async function invoiceOf(order) {
  let attempt = order.attempt;
  if (order.invoice) {
    const known = await merchant(`/v1/invoices/${order.invoice}`);
    if (known.state !== 'expired' && known.state !== 'cancelled') return known;
    attempt += 1;
  }
  const wanted = { amount: PRICE, asset: FRD, description: 'Tea', reference: order.id, refunds: true };
  const made = await merchant('/v1/invoices', wanted, `${order.id}-${attempt}`);
  Object.assign(order, { attempt, invoice: made.id });
  save();
  return made;
}

/** `paid` only when the order is: the goods are on their way. */
async function stateOf(order) {
  if (order.state === 'paid' || !order.invoice) return order.state;
  const { state } = await merchant(`/v1/invoices/${order.invoice}`);
  return state === 'paid' ? 'pending' : state;
}

/** What an event changes, once under its id, in one write. */
function handle(id, { type, data }) {
  if (shop.seen[id]) return console.log(`${id} ${type}: seen before`);
  const order = shop.orders[data.reference];
  const isPaid = type === 'invoice.assured' || (type === 'invoice.paid' && data.assurance.enough);
  if (order && isPaid && data.asset === FRD && data.received >= PRICE) {
    if (order.state === 'paid') console.log(`order ${order.id} is paid twice: refund invoice ${data.id}`);
    else Object.assign(order, { state: 'paid', invoice: data.id });
  }
  shop.seen[id] = true;
  save();
  console.log(`${id} ${type}: order ${order?.id} is ${order?.state}`);
}

async function bodyOf(request) {
  let body = Buffer.alloc(0);
  for await (const part of request) {
    body = Buffer.concat([body, part]);
    if (body.length > MAX_BODY_BYTES) throw new WebhookVerificationError('the body is too large');
  }
  return body.toString('utf8');
}

const page = (title, body) => ['text/html; charset=utf-8', `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>${title}</title>
<script type="module" src="/fair-pay.js"></script><h1>${title}</h1>${body}</html>`];
const payPage = ({ id }) => page('Your tea', `<fair-pay invoice-src="/orders/${id}/invoice" status-src="/orders/${id}/status" wallet="${FAIR_WALLET}">
<a href="/orders/${id}/pay">Pay 12.00 FRD</a></fair-pay>`);
const json = (value) => ['application/json', JSON.stringify(value)];

async function answer(request, reply) {
  const [, place, id, what] = new URL(request.url, 'http://shop').pathname.split('/');
  const order = place === 'orders' && Object.hasOwn(shop.orders, id ?? '') ? shop.orders[id] : null;
  const send = (status, [type, body], more) => reply.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', ...more }).end(body);
  const go = (location) => reply.writeHead(303, { location }).end();
  const asked = `${request.method} /${order ? `order/${what ?? ''}` : [place, id].filter(Boolean).join('/')}`;
  switch (asked) {
    case 'GET /': return send(200, page('Tea', '<form method="post" action="/orders"><button>Order tea for 12.00 FRD</button></form>'));
    case 'GET /fair-pay.js': return send(200, ['text/javascript', script]);
    case 'GET /.well-known/fair-pay.json': return send(200, json({ payees: [FAIR_PAYEE] }), { 'access-control-allow-origin': '*' });
    case 'POST /orders': {
      const made = { id: randomUUID(), state: 'open', attempt: 1, invoice: null };
      shop.orders[made.id] = made;
      save();
      return go(`/orders/${made.id}`);
    }
    case 'GET /order/': return send(200, payPage(order));
    case 'GET /order/pay': return go(`${FAIR_WALLET}/pay/#${(await invoiceOf(order)).invoice}`);
    case 'GET /order/invoice': return send(200, json({ invoice: (await invoiceOf(order)).invoice }));
    case 'GET /order/status': return send(200, json({ state: await stateOf(order) }));
    case 'POST /fair/webhook': {
      const event = webhook.verify(await bodyOf(request), request.headers);
      handle(request.headers['webhook-id'], event);
      return reply.writeHead(204).end();
    }
    default: return send(404, json({ error: 'There is nothing here.' }));
  }
}

createServer((request, reply) => answer(request, reply).catch((error) => {
  console.error(`${request.method} ${request.url}: ${error.message}`);
  if (!reply.headersSent) reply.writeHead(error instanceof WebhookVerificationError ? 400 : 502).end();
})).listen(Number(PORT), '127.0.0.1', () => console.log(`shop at http://127.0.0.1:${PORT}`));
