"""A shop that sells tea, with Python's own http.server. docs/merchants.md says how to start it."""

import json
import os
import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

MERCHANT, KEY, PAYEE, WALLET = (os.environ[f"FAIR_{name}"] for name in ("MERCHANT", "KEY", "PAYEE", "WALLET"))
WEBHOOK, PORT = Webhook(os.environ["FAIR_WEBHOOK_SECRET"]), int(os.environ.get("PORT", "3000"))
PRICE, FRD = 1200, 1  # 12.00 of asset 1: amounts are in the asset's smallest unit
SCRIPT = open("fair-pay.js", encoding="utf-8").read()
HTML, JSON = "text/html; charset=utf-8", "application/json"
FORM = '<form method="post" action="/orders"><button>Order tea for 12.00 FRD</button></form>'
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{0}</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<script type="module" src="/fair-pay.js"></script><h1>{0}</h1>{1}</html>"""
PAY = """<fair-pay invoice-src="/orders/{0}/invoice" status-src="/orders/{0}/status" wallet="{1}">
<a href="/orders/{0}/pay">Pay 12.00 FRD</a></fair-pay>"""


def database():
    return closing(sqlite3.connect("orders.sqlite"))


def merchant(path, body=None, name=None):
    """Asks the merchant; with `body` it is a POST under the name `name`."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Idempotency-Key": name or "none"}
    request = Request(MERCHANT + path, body and json.dumps(body).encode(), headers)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def invoice_of(order_id, _state, attempt, invoice):
    """The same invoice for the same order; a new one when it can no longer be paid."""
    if invoice:
        known = merchant(f"/v1/invoices/{invoice}")
        if known["state"] not in ("expired", "cancelled"):
            return known
        attempt += 1
    wanted = {"amount": PRICE, "asset": FRD, "description": "Tea", "reference": order_id, "refunds": True}
    made = merchant("/v1/invoices", wanted, f"{order_id}-{attempt}")
    with database() as db, db:
        change = "UPDATE orders SET attempt = ?, invoice = ? WHERE id = ? AND state = 'open'"
        db.execute(change, (attempt, made["id"], order_id))
    return made


def state_of(_id, state, _attempt, invoice):
    """`paid` only when the order is: the goods are on their way."""
    if state == "paid" or not invoice:
        return state
    state = merchant(f"/v1/invoices/{invoice}")["state"]
    return "pending" if state == "paid" else state


def handle(webhook_id, event):
    """What an event changes, once under its id, in one transaction."""
    kind, data = event["type"], event["data"]
    is_paid = kind == "invoice.assured" or (kind == "invoice.paid" and data["assurance"]["enough"])
    with database() as db, db:
        if db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (webhook_id,)).rowcount == 0:
            return print(f"{webhook_id} {kind}: seen before", flush=True)
        if is_paid and data["asset"] == FRD and data["received"] >= PRICE:
            change = "UPDATE orders SET state = 'paid', invoice = ? WHERE id = ? AND state = 'open'"
            if db.execute(change, (data["id"], data["reference"])).rowcount == 0:
                print(f"no open order {data['reference']!r}: refund invoice {data['id']}", flush=True)
    print(f"{webhook_id} {kind}: order {data.get('reference')}, paid {is_paid}", flush=True)


class Shop(BaseHTTPRequestHandler):
    def send(self, status, kind="text/plain", body="", **headers):
        self.send_response(status)
        more = {"Content-Type": kind, "Cache-Control": "no-store", "Content-Length": str(len(body.encode()))}
        for name, value in (headers | more).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())

    def answer(self):
        _, place, name, what, *_ = self.path.split("?")[0].split("/") + ["", ""]
        with database() as db:
            order = db.execute("SELECT * FROM orders WHERE id = ? AND ? = 'orders'", (name, place)).fetchone()
        match (self.command, "order" if order else place, what if order else name):
            case "GET", "", "": self.send(200, HTML, PAGE.format("Tea", FORM))
            case "GET", "fair-pay.js", "": self.send(200, "text/javascript", SCRIPT)
            case "GET", ".well-known", "fair-pay.json":
                self.send(200, JSON, json.dumps({"payees": [PAYEE]}), Access_Control_Allow_Origin="*")
            case "POST", "orders", "":
                with database() as db, db:
                    db.execute("INSERT INTO orders VALUES (?, 'open', 1, NULL)", (made := os.urandom(16).hex(),))
                self.send(303, Location=f"/orders/{made}")
            case "GET", "order", "": self.send(200, HTML, PAGE.format("Your tea", PAY.format(name, WALLET)))
            case "GET", "order", "pay": self.send(303, Location=f"{WALLET}/pay/#{invoice_of(*order)['invoice']}")
            case "GET", "order", "invoice": self.send(200, JSON, json.dumps({"invoice": invoice_of(*order)["invoice"]}))
            case "GET", "order", "status": self.send(200, JSON, json.dumps({"state": state_of(*order)}))
            case "POST", "fair", "webhook":
                body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 65_536))
                handle(self.headers["webhook-id"], WEBHOOK.verify(body, dict(self.headers)))
                self.send(204)
            case _: self.send(404)

    def guarded(self):
        try:
            self.answer()
        except Exception as problem:  # whatever it is, the next request is served
            self.log_error("%s %s", problem, problem.read() if isinstance(problem, HTTPError) else "")
            self.send(400 if isinstance(problem, (WebhookVerificationError, ValueError)) else 502)
    do_GET = do_POST = guarded


with database() as db:
    db.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, state TEXT, attempt INTEGER, invoice TEXT)")
    db.execute("CREATE TABLE IF NOT EXISTS seen (webhook_id TEXT PRIMARY KEY)")
print(f"shop at http://127.0.0.1:{PORT}", flush=True)
ThreadingHTTPServer(("127.0.0.1", PORT), Shop).serve_forever()
