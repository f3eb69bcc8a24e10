//! Attack 19, by the bank itself: a payee takes a lock only if it is what the sender sealed and what the
//! invoice asks for.

use fair_core::channel::state::Lock;
use fair_core::channel::transition::Transition;
use fair_core::channel::wire::{Message, Update};
use fair_core::crypto::{Secret, lock_hash};
use fair_core::entropy::Entropy;
use fair_core::payment::invoice::{Description, InvoiceId, LatePolicy, RefundPolicy};
use fair_core::payment::onion::{self, Claim, Final, FirstLayer, Layer};
use fair_core::types::{Amount, AssetId, Hash};
use fair_core::wallet::{Credit, Input, NewInvoice};
use fair_tests::world::byzantine::{Forgery, forge_over};
use fair_tests::world::host::Told;
use fair_tests::world::hub::{FRD, Hub, Plan};
use fair_tests::world::party::Crash;

const BANK: usize = 0;
const PAYEE: usize = 1;
const FRB: AssetId = AssetId::FRB;
const PREIMAGE: Secret = Secret([7; 32]);

/// Blocks from now to the expiry that the sender asked for.
const LIFE: u64 = 30;

/// What the bank locks, and what stands in the layer that reaches the payee.
#[derive(Clone, Copy)]
struct Try {
    asset: AssetId,
    amount: Amount,
    life: u64,
    sealed: (AssetId, Amount, Amount),
    sealed_life: u64,
}

/// As a sender wants it.
const HONEST: Try = Try { asset: FRD, amount: 700, life: LIFE, sealed: (FRD, 700, 700), sealed_life: LIFE };

fn world() -> Hub {
    let mut hub = Hub::funded(Plan::one_bank(1, 19), 2_000, 3_000);
    let credit = Credit { asset: FRB, limit: 3_000, insure_above: None, most_price: 0 };
    let bank = hub.hosts[BANK].public();
    hub.wish(PAYEE, Input::SetCredit { bank, credit }).expect("terms");
    hub.settle_down();
    hub
}

/// Whether the payee gives the secret away for such a lock of its bank.
fn takes(mut hub: Hub, attempt: Try, hash: Hash, claim: Claim) -> bool {
    let now = hub.hosts[PAYEE].chain().head.usable_height;
    let (payee, chain_id) = (hub.hosts[PAYEE].public(), hub.ledger.state().chain_id());
    let (asset, amount, total) = attempt.sealed;
    let least_expiry = now + attempt.sealed_life;
    let last = Layer::Final(Final { asset, amount, total, least_expiry, claim, refund: None });
    let max_hops = hub.ledger.state().parameters().max_hops;
    let mut entropy = Entropy::from_seed([3; 32]);
    let onion = onion::build(&chain_id, &hash, &[(payee, last)], FirstLayer::Sealed, max_hops, &mut entropy);
    let channel = hub.channel(PAYEE, BANK).expect("a channel");
    let index = *channel.agreement().shared.next_index.get(channel.partner());
    let lock = Lock { index, amount: attempt.amount, hash, expiry: now + attempt.life };
    let transition = Transition::Lock { asset: attempt.asset, lock, onion: onion.expect("one hop") };
    let bank = hub.hosts[BANK].public();
    let view = hub.hosts[PAYEE].chain().channel(payee, bank);
    let forgery = Forgery { transitions: vec![transition], ..Forgery::default() };
    let frame = forge_over(channel, &hub.hosts[BANK].key, &view, forgery);
    let update = Message::Update(Box::new(Update { epoch: 0, reply: None, frame: Some(frame) }));
    hub.tell(PAYEE, Told::Message(bank, &update.encode()), Crash::Never);
    let locks = hub.channel(PAYEE, BANK).expect("a channel").incoming_locks().count();
    assert_eq!(locks, 1, "a lock that is disliked is no reason to refuse");
    hub.hosts[PAYEE].opened.contains(&hash)
}

fn takes_spontaneous(attempt: Try) -> bool {
    takes(world(), attempt, lock_hash(&PREIMAGE), Claim::Spontaneous { preimage: PREIMAGE })
}

fn takes_invoice(attempt: Try, secret: Option<Secret>) -> bool {
    let mut hub = world();
    let request = hub.fresh();
    let new = NewInvoice {
        request,
        asset: FRD,
        amount: Some(700),
        description: Description::Text("tea".into()),
        lifetime_ms: 3_600_000,
        origin: None,
        refunds: RefundPolicy::None,
        late: LatePolicy::Fail,
    };
    hub.wish(PAYEE, Input::CreateInvoice(Box::new(new))).expect("an invoice");
    let id = InvoiceId(request);
    let invoice = hub.hosts[PAYEE].wallet().invoice(&id).expect("just made").invoice.body.clone();
    let payment_secret = secret.unwrap_or(invoice.payment_secret);
    takes(hub, attempt, invoice.lock_hash, Claim::Invoice { id, payment_secret })
}

#[test]
fn what_the_sender_sealed_is_taken() {
    assert!(takes_spontaneous(HONEST) && takes_invoice(HONEST, None));
}

#[test]
fn attack_19_worthless_asset() {
    assert!(!takes_spontaneous(Try { asset: FRB, ..HONEST }));
}

#[test]
fn attack_19_less_than_sealed() {
    assert!(!takes_spontaneous(Try { amount: 1, ..HONEST }));
}

#[test]
fn attack_19_a_part_for_the_whole() {
    assert!(!takes_spontaneous(Try { amount: 1, sealed: (FRD, 1, 700), ..HONEST }));
}

#[test]
fn attack_19_shorter_than_sealed() {
    assert!(!takes_spontaneous(Try { life: LIFE - 1, ..HONEST }));
}

#[test]
fn attack_19_too_late_to_settle() {
    let margin = u64::from(fair_tests::world::hub::brisk_parameters().margin_blocks);
    assert!(!takes_spontaneous(Try { life: margin, sealed_life: 0, ..HONEST }));
}

#[test]
fn attack_19_an_invoice_paid_in_another_asset() {
    assert!(!takes_invoice(Try { asset: FRB, sealed: (FRB, 700, 700), ..HONEST }, None));
}

#[test]
fn attack_19_an_invoice_paid_short() {
    assert!(!takes_invoice(Try { amount: 1, sealed: (FRD, 1, 1), ..HONEST }, None));
}

#[test]
fn attack_19_an_invoice_paid_without_its_secret() {
    assert!(!takes_invoice(HONEST, Some(Secret([1; 32]))));
}
