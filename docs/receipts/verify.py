"""Verifies a proof of payment. README.md describes the bytes. Needs `cryptography`.

    python verify.py CHAIN_ID PROOF           prints what was paid, or says why nothing is proven
    python verify.py --vectors vectors.json   checks this program
"""

import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KIND = "fairproof"
VERSION = 1
MAX_TEXT_CHARS = 4096
MAX_PROOF_BYTES = 2304
MAX_DESCRIPTION_BYTES = 640
MAX_ORIGIN_BYTES = 256
MAX_BANKS = 8
MAX_SUPPLY = 1 << 62

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
BECH32M = 0x2BC830A3

# Points of small order, sign bit cleared: keys and signatures with them prove nothing.
WEAK = {
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
}


class BadProof(Exception):
    """Why a text proves nothing; `code` is one of README.md's."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def verify(text, chain_id):
    """What the proof proves, for the network with this id (32 bytes). Raises BadProof."""
    reader = Reader(read_text(text))
    invoice = read_invoice(reader)
    invoice_body = reader.bytes[: reader.at]
    invoice_signature = reader.take(64)
    preimage = reader.take(32)
    receipt = reader.option(lambda: read_receipt(reader))
    reader.end()

    check_invoice(invoice, chain_id)
    payee = bytes.fromhex(invoice["payee"])
    if not is_signed(b"fair/invoice/001", chain_id, invoice_body, payee, invoice_signature):
        raise BadProof("signature", "the payee did not sign the invoice")
    if hashlib.sha256(preimage).hexdigest() != invoice["lock_hash"]:
        raise BadProof("preimage", "the preimage belongs to another payment")
    if receipt is not None:
        body, signature, said = receipt
        if not is_signed(b"fair/receipt/001", chain_id, body, payee, signature):
            raise BadProof("receipt_signature", "the payee did not sign the receipt")
        if said.pop("invoice") != invoice["id"]:
            raise BadProof("receipt_invoice", "the receipt is for another invoice")
        receipt = said
    return {**invoice, "receipt": receipt}


def read_text(text):
    """Bech32m without its length limit, to bytes."""
    text = text.strip()
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_CHARS:
        raise BadProof("too_long", "longer than any proof")
    lower = text.lower()
    kind, separator, rest = lower.rpartition("1")
    is_mixed = text not in (lower, text.upper())
    is_plain = all("!" <= character <= "~" for character in text)
    if not separator or not 1 <= len(kind) <= 83 or is_mixed or not is_plain or set(rest) - set(ALPHABET):
        raise BadProof("not_text", "this is no payment text")
    values = [ALPHABET.index(character) for character in rest]
    codes = [ord(character) for character in kind]
    expanded = [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]
    if len(values) < 6 or polymod(expanded + values) != BECH32M:
        raise BadProof("checksum", "a character is wrong or missing")
    if kind != KIND:
        raise BadProof("kind", f"this is a {kind}, not a {KIND}")
    data = values[:-6]
    held = 0
    for value in data:
        held = held << 5 | value
    count, spare = divmod(len(data) * 5, 8)
    # Bits beyond the last byte must be zero, and fewer than one character's: one text per value.
    if spare >= 5 or held & ((1 << spare) - 1):
        raise BadProof("not_text", "the text has another end than it should")
    if count > MAX_PROOF_BYTES:
        raise BadProof("encoding", "more bytes than any proof has")
    return (held >> spare).to_bytes(count, "big")


def polymod(values):
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for index, generator in enumerate(GENERATORS):
            if top >> index & 1:
                total ^= generator
    return total


class Reader:
    """Reads the one encoding that a value has."""

    def __init__(self, data):
        self.bytes = data
        self.at = 0

    def take(self, count):
        taken = self.bytes[self.at : self.at + count]
        if len(taken) != count:
            raise BadProof("encoding", "it ends too early")
        self.at += count
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def big(self):
        """A 64-bit number, as text: JSON's numbers are not exact."""
        return str(self.number(8))

    def one(self, variants):
        tag = self.number(1)
        if tag >= len(variants):
            raise BadProof("encoding", f"there is no variant {tag}")
        return variants[tag]

    def option(self, read):
        return self.one((lambda: None, read))()

    def text(self):
        try:
            return self.take(self.number(4)).decode("utf-8")
        except UnicodeDecodeError:
            raise BadProof("encoding", "a text is not UTF-8") from None

    def end(self):
        if self.at != len(self.bytes):
            raise BadProof("encoding", "bytes follow")


def read_invoice(reader):
    return {
        "version": reader.number(1),
        "chain_id": reader.take(32).hex(),
        "payee": reader.take(32).hex(),
        "id": reader.take(16).hex(),
        "asset": reader.number(4),
        "amount": reader.option(reader.big),
        "lock_hash": reader.take(32).hex(),
        "payment_secret": reader.take(32).hex(),
        "created_ms": reader.big(),
        "expires_ms": reader.big(),
        "description": reader.one((lambda: {"text": reader.text()}, lambda: {"hash": reader.take(32).hex()}))(),
        "banks": read_keys(reader),
        "origin": reader.option(reader.text),
        "refunds": reader.one(("none", "on_request")),
        "late": reader.one(("fail", "accept")),
    }


def read_keys(reader):
    keys = []
    for _ in range(reader.number(4)):
        keys.append(reader.take(32).hex())
    return keys


def read_receipt(reader):
    start = reader.at
    said = {"invoice": reader.take(16).hex(), "amount": reader.big(), "paid_ms": reader.big()}
    body = reader.bytes[start : reader.at]
    return body, reader.take(64), said


def check_invoice(invoice, chain_id):
    if invoice["version"] != VERSION:
        raise BadProof("version", f"version {invoice['version']} is not known")
    if invoice["chain_id"] != chain_id.hex():
        raise BadProof("network", f"it belongs to network {invoice['chain_id']}")
    banks = invoice["banks"]
    if len(banks) > MAX_BANKS or len(set(banks)) != len(banks):
        raise BadProof("banks", "too many banks, or one twice")
    if is_weak(bytes.fromhex(invoice["payee"])):
        raise BadProof("signature", "the payee has an unusable key")
    amount, description, origin = invoice["amount"], invoice["description"].get("text", ""), invoice["origin"] or ""
    holds = (
        (amount is None or 0 < int(amount) <= MAX_SUPPLY)
        and int(invoice["created_ms"]) <= int(invoice["expires_ms"])
        and len(description.encode()) <= MAX_DESCRIPTION_BYTES
        and len(origin.encode()) <= MAX_ORIGIN_BYTES
    )
    if not holds:
        raise BadProof("content", "a field has an impossible value")


def is_signed(tag, chain_id, body, key, signature):
    """Whether the key signed SHA-256(tag ‖ chain id ‖ body)."""
    if is_weak(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, hashlib.sha256(tag + chain_id + body).digest())
    except (InvalidSignature, ValueError):
        return False
    return True


def is_weak(point):
    return point[:31] + bytes([point[31] & 0x7F]) in WEAK


def check_vectors(path):
    """Checks every vector; returns how many differ."""
    with open(path, encoding="utf-8") as file:
        listed = json.load(file)
    chain_id, vectors = bytes.fromhex(listed["chain_id"]), listed["vectors"]
    wrong = 0
    for vector in vectors:
        try:
            got = {"good": verify(vector["text"], chain_id)}
        except BadProof as bad:
            got = {"error": bad.code}
        expected = {name: vector[name] for name in ("good", "error") if name in vector}
        if got != expected:
            wrong += 1
            print(f"{vector['why']}: expected {expected}, got {got}", file=sys.stderr)
    print(f"verify.py: {len(vectors) - wrong} of {len(vectors)} vectors hold")
    return wrong if vectors else 1


def main(given):
    if len(given) == 2 and given[0] == "--vectors":
        return 1 if check_vectors(given[1]) else 0
    try:
        chain_id = bytes.fromhex(given[0]) if len(given) == 2 else b""
    except ValueError:
        chain_id = b""
    if len(chain_id) != 32:
        print("usage: verify.py CHAIN_ID PROOF | verify.py --vectors FILE", file=sys.stderr)
        return 2
    try:
        print(json.dumps(verify(given[1], chain_id)))
    except BadProof as bad:
        print(f"{bad.code}: {bad}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
