//! Honest users and banks under faults: one seed derives every choice. The first phase injects faults, the
//! second heals and demands progress: every payment ends, paid on both sides or failed on both, and nothing
//! waits anywhere.

use super::super::host::{Input, Told};
use super::super::party::Crash;
use super::super::random::Random;
use super::{FRD, Hub, INSURANCE_PRICE, Keep, Order, Plan, deposit};
use fair_core::bank;
use fair_core::payment::invoice::{Description, InvoiceId, LatePolicy, RefundPolicy};
use fair_core::types::Amount;
use fair_core::wallet::{self, Credit, NewInvoice, Payable, PaymentState, Target};

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Digest of everything that left anybody: the same seed gives the same.
    pub trace: u64,
    /// Payments through banks that were paid.
    pub paid: usize,
    /// Those that failed.
    pub failed: usize,
    /// Power losses.
    pub crashes: usize,
    /// Withdrawals and deposits after the first ones that the ledger executed.
    pub on_chain: usize,
    /// Blocks.
    pub blocks: u64,
}

/// Where choices come from, how often things go wrong, and what happened.
pub(super) struct Luck {
    /// The choices.
    pub(super) random: Random,
    /// One of so many steps goes wrong in each way.
    pub(super) rarity: u64,
    /// What happened.
    pub(super) report: Report,
}

impl Luck {
    /// The luck of a seed: some are calm, some are not.
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let rarity = [12, 30, 80][random.index(3)];
        Self { random, rarity, report: Report::default() }
    }

    fn fault(&mut self) -> bool {
        self.random.chance(1, self.rarity)
    }

    pub(super) fn crash(&mut self) -> Crash {
        if !self.fault() {
            return Crash::Never;
        }
        match self.random.below(4) {
            0 => Crash::BeforeWrite,
            count => Crash::AfterSends(usize::try_from(count - 1).unwrap_or(0)),
        }
    }

    pub(super) fn crashed(&mut self, whether: bool) {
        self.report.crashes += usize::from(whether);
    }
}

/// Runs one seed.
///
/// # Panics
/// With the seed, when a checker objects.
pub fn run(seed: u64, steps: u64) -> Report {
    guarded(seed, || run_unguarded(seed, steps))
}

/// A panic names its seed.
pub(super) fn guarded<T>(seed: u64, run: impl FnOnce() -> T + std::panic::UnwindSafe) -> T {
    std::panic::catch_unwind(run).unwrap_or_else(|cause| {
        let text =
            cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).into()));
        panic!("seed {seed}: {}", text.unwrap_or_default())
    })
}

fn run_unguarded(seed: u64, steps: u64) -> Report {
    let mut luck = Luck::new(seed ^ 0x4b);
    let random = &mut luck.random;
    let plan = if random.chance(1, 3) { Plan::two_banks(seed) } else { Plan::one_bank(2 + random.index(2), seed) };
    let mut hub = Hub::funded(plan, 1_500 + random.below(2_000), random.below(4_000));
    for _ in 0..steps {
        act(&mut hub, &mut luck);
        check(&hub);
    }
    heal(&mut hub);
    if let Err(difference) = hub.check_rest() {
        panic!("{difference}");
    }
    finish(&hub, luck.report)
}

/// Counts what became of the payments.
pub(super) fn finish(hub: &Hub, mut report: Report) -> Report {
    for order in &hub.orders {
        match hub.hosts[order.payer].wallet().payment(&order.request).map(|payment| payment.state) {
            Some(PaymentState::Paid) => report.paid += 1,
            Some(PaymentState::Failed) => report.failed += 1,
            _ => {}
        }
    }
    report.trace = hub.trace();
    report.blocks = hub.ledger.height();
    report.on_chain = hub.applied();
    report
}

/// Everybody is honest: nobody is accused, nobody can lose.
fn check(hub: &Hub) {
    for host in &hub.hosts {
        assert!(host.accusations.is_empty(), "honest parties accuse each other: {:?}", host.accusations);
    }
    let users: Vec<_> = hub.users().collect();
    let checks = users.iter().map(|user| hub.check_user(*user));
    let banks = (0..hub.plan.banks).map(|bank| hub.check_bank(bank, &users));
    for result in checks.chain(banks).chain([hub.check_payments()]) {
        if let Err(loss) = result {
            panic!("{loss}");
        }
    }
}

/// One random step with its faults.
fn act(hub: &mut Hub, luck: &mut Luck) {
    let host = luck.random.index(hub.hosts.len());
    match luck.random.below(100) {
        0..56 => deliver(hub, luck),
        56..70 => wish(hub, luck),
        70..80 => follow(hub, host, luck),
        80..86 => {
            let honest = hub.everybody();
            blocks(hub, &honest, &mut luck.random);
        }
        86..88 => {
            hub.now_ms += if luck.random.chance(1, 6) { 12_000 } else { luck.random.below(3_000) };
            let crash = luck.crash();
            let crashed = hub.tell(host, Told::Tick, crash);
            luck.crashed(crashed);
        }
        88..90 if luck.fault() => {
            hub.restart(host);
            luck.crashed(true);
        }
        90..98 => reconnect(hub, luck),
        _ if luck.fault() => hub.lose_batches(),
        _ => {}
    }
}

/// A host that fell behind takes one block or all.
pub(super) fn follow(hub: &mut Hub, host: usize, luck: &mut Luck) {
    let most = if luck.random.chance(1, 4) { 1 } else { hub.behind(host) };
    for _ in 0..most {
        let crash = luck.crash();
        let crashed = hub.follow(host, crash);
        luck.crashed(crashed);
    }
}

/// Sessions that ended begin anew; now and then one that stands is replaced or ends.
fn reconnect(hub: &mut Hub, luck: &mut Luck) {
    let link = hub.plan.links[luck.random.index(hub.plan.links.len())];
    if luck.fault() {
        hub.disconnect(link);
    } else if luck.fault() {
        hub.connect(link);
    } else {
        hub.connect_all();
    }
}

/// Blocks come one by one, now and then so many that locks expire.
pub(super) fn blocks(hub: &mut Hub, honest: &[usize], random: &mut Random) {
    let count = match random.below(30) {
        0 => 20 + random.below(50),
        1 | 2 => 3 + random.below(6),
        _ => 1,
    };
    for _ in 0..count {
        if hub.may_mine(honest) {
            hub.mine();
        }
    }
}

/// Delivers any message that is under way: lost with its session, copied, out of order, or at the price of
/// a power loss.
pub(super) fn deliver(hub: &mut Hub, luck: &mut Luck) {
    let busy: Vec<_> = hub.wires.iter().filter(|(_, queue)| !queue.is_empty()).map(|(wire, _)| *wire).collect();
    if busy.is_empty() {
        return;
    }
    let wire = busy[luck.random.index(busy.len())];
    let length = hub.wires.get(&wire).map_or(0, std::collections::VecDeque::len);
    let position = if luck.fault() { luck.random.index(length) } else { 0 };
    if luck.fault()
        && let Some(queue) = hub.wires.get_mut(&wire)
    {
        queue.remove(position);
        if luck.random.chance(1, 2) {
            hub.connect((wire.0.min(wire.1), wire.0.max(wire.1)));
        }
        return;
    }
    let keep = if luck.fault() { Keep::Again } else { Keep::Gone };
    let crash = luck.crash();
    let crashed = hub.deliver(wire, position, keep, crash) == Some(true);
    luck.crashed(crashed);
}

/// What somebody wants; refusals are part of life.
fn wish(hub: &mut Hub, luck: &mut Luck) {
    let random = &mut luck.random;
    let host =
        if random.chance(1, 7) { random.index(hub.plan.banks) } else { hub.plan.banks + random.index(hub.plan.users) };
    honest_wish(hub, host, luck);
}

/// What the owner of a host wants.
pub(super) fn honest_wish(hub: &mut Hub, host: usize, luck: &mut Luck) {
    let crash = luck.crash();
    let random = &mut luck.random;
    let input = if hub.is_bank(host) {
        Input::Bank(order_of_bank(hub, host, random))
    } else if random.chance(1, 2) {
        let payee = hub.plan.banks + random.index(hub.plan.users);
        pay(hub, host, payee, random, crash);
        return;
    } else {
        Input::Wallet(wish_of_user(hub, host, random))
    };
    let crashed = hub.input(host, input, crash) == Ok(true);
    luck.crashed(crashed);
}

/// By invoice or to an address.
fn pay(hub: &mut Hub, payer: usize, payee: usize, random: &mut Random, crash: Crash) {
    let most = if random.chance(1, 4) { 3_000 } else { 300 };
    let amount = 1 + random.below(most);
    let to = if random.chance(2, 3) {
        let asked = random.chance(2, 3).then_some(amount);
        let Some(invoice) = invoice(hub, payee, asked, crash) else { return };
        invoice
    } else {
        Payable::Address(hub.hosts[payee].wallet().address())
    };
    let request = hub.fresh();
    let max_fee = random.below(20);
    let (to, description) = (Box::new(to), String::new());
    let input = wallet::Input::Pay { request, to, asset: FRD, amount, max_fee, description };
    if hub.input(payer, Input::Wallet(input), crash).is_ok() {
        hub.orders.push(Order { payer, payee, request });
    }
}

fn invoice(hub: &mut Hub, payee: usize, amount: Option<Amount>, crash: Crash) -> Option<Payable> {
    let request = hub.fresh();
    let new = NewInvoice {
        request,
        asset: FRD,
        amount,
        description: Description::Text("tea".into()),
        lifetime_ms: 3_600_000,
        origin: None,
        refunds: RefundPolicy::None,
        late: LatePolicy::Fail,
    };
    hub.input(payee, Input::Wallet(wallet::Input::CreateInvoice(Box::new(new))), crash).ok()?;
    let own = hub.hosts[payee].wallet().invoice(&InvoiceId(request))?;
    let chain_id = hub.ledger.state().chain_id();
    let payee = hub.hosts[payee].public();
    Some(Payable::Invoice(Box::new(own.invoice.clone().verify(&chain_id, &payee).expect("its own invoice"))))
}

fn wish_of_user(hub: &mut Hub, user: usize, random: &mut Random) -> wallet::Input<'static> {
    let banks: Vec<_> = hub.plan.links.iter().filter(|(_, end)| *end == user).map(|(bank, _)| *bank).collect();
    let bank = hub.hosts[banks[random.index(banks.len())]].public();
    let amount = 1 + random.below(1_200);
    let request = hub.fresh();
    match random.below(16) {
        0..3 => wallet::Input::PayDirect { request, bank, asset: FRD, amount, note: Vec::new() },
        3 | 4 => {
            let insure_above = random.chance(1, 2).then(|| random.below(1_000));
            let credit = Credit { asset: FRD, limit: random.below(4_000), insure_above, most_price: INSURANCE_PRICE };
            wallet::Input::SetCredit { bank, credit }
        }
        5 => wallet::Input::RequestInsurance { bank, asset: FRD, most_price: INSURANCE_PRICE },
        6..9 => {
            let owner = hub.hosts[user].public();
            let target = if random.chance(1, 2) {
                Target::OnChain
            } else {
                let banks = hub.plan.banks;
                Target::Channel { owner, partner: hub.hosts[random.index(banks)].public(), invoice: None }
            };
            wallet::Input::RequestWithdrawal { bank, asset: FRD, amount, target }
        }
        9 | 10 => {
            let own = hub.hosts[user].public();
            wallet::Input::DraftAdd { operations: vec![deposit(own, bank, amount)] }
        }
        11 if random.chance(1, 3) => wallet::Input::Dispute { bank },
        _ => wallet::Input::SendBatch { request },
    }
}

fn order_of_bank(hub: &mut Hub, bank: usize, random: &mut Random) -> bank::Input<'static> {
    let links: Vec<_> = hub.plan.links.iter().filter(|(end, _)| *end == bank).map(|(_, other)| *other).collect();
    let peer = hub.hosts[links[random.index(links.len())]].public();
    let request = hub.fresh();
    match random.below(7) {
        6 if random.chance(1, 3) => bank::Input::Dispute { peer },
        0 | 1 => bank::Input::Pay { request, peer, asset: FRD, amount: 1 + random.below(200), note: Vec::new() },
        2 => bank::Input::SetCredit { peer, asset: FRD, limit: random.below(500), insure_above: None },
        _ => bank::Input::Rebalance,
    }
}

/// No more faults: everybody is connected and sees every block, everything is delivered in order, and
/// drafts are sent. In the end nothing waits.
///
/// # Panics
/// When honest parties do not come to rest.
pub fn heal(hub: &mut Hub) {
    // A session that lost a message is of no use any more.
    for link in hub.plan.links.clone() {
        hub.connect(link);
    }
    for round in 0..200 {
        hub.everybody_follows();
        hub.connect_all();
        hub.settle_down();
        for user in hub.users() {
            for bank in hub.hosts[user].partners() {
                let _nothing_to_resume = hub.wish(user, wallet::Input::Resume { bank });
            }
        }
        hub.send_drafts();
        hub.settle_down();
        let pressing = hub.pressing(&hub.everybody(), 1);
        assert!(pressing.is_empty(), "known secrets wait although everybody is connected: {pressing:?}");
        hub.mine();
        hub.everybody_follows();
        hub.settle_down();
        check(hub);
        if round > 2 && hub.unrest().is_empty() {
            return;
        }
    }
    panic!("honest parties do not come to rest: {:#?}", hub.unrest());
}
