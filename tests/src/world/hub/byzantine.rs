//! One host of a hub lies: a user against an honest bank and honest users, or a bank against honest users.
//! It holds a real key, sees every message to and from it, runs a real machine when that pays, starts from
//! old backups, and forges whatever it likes besides. Rule 11 is checked at every step for everybody else.

use super::super::byzantine::{Forgery, forge_over, next_number_in, refusal};
use super::super::host::{Rows, Told};
use super::super::party::Crash;
use super::simulation::{Luck, Report, blocks, deliver, finish, follow, guarded, honest_wish};
use super::{FRD, Hub, Plan};
use fair_core::channel::shared::{Shared, Sides};
use fair_core::channel::state::{ChannelState, Lock};
use fair_core::channel::transition::{FailReason, Transition};
use fair_core::channel::wire::{Frame, Hello, Message as Peer, Reply, Update};
use fair_core::crypto::{Secret, lock_hash};
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Operation, Withdraw, WithdrawalConsent};
use fair_core::message::{Message, Signed};
use fair_core::types::{Hash, Signature};
use fair_core::wallet::PaymentState;
use std::collections::{BTreeMap, BTreeSet};

/// Who lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liar {
    /// A user.
    User,
    /// The bank.
    Bank,
}

/// An old both-signed state, kept to be shown again.
#[derive(Clone)]
struct Shown {
    state: ChannelState,
    signatures: Option<Sides<Signature>>,
    shared: Shared,
}

/// What the liar has collected.
#[derive(Default)]
struct Memory {
    sent: BTreeMap<usize, Vec<Vec<u8>>>,
    shown: BTreeMap<usize, Vec<Shown>>,
    backups: Vec<Rows>,
    secrets: BTreeMap<Hash, Secret>,
    locks: Vec<(Hash, Vec<u8>)>,
    /// Highest number forged so far, by victim.
    forged: BTreeMap<usize, u64>,
}

struct Attack {
    hub: Hub,
    liar: usize,
    honest: Vec<usize>,
    memory: Memory,
    luck: Luck,
}

/// Runs one seed. The payments between honest users that ended, of whom a lying user cannot keep any from
/// ending, are in the report.
///
/// # Panics
/// With the seed, when an honest host can lose more than it granted.
pub fn run(liar: Liar, seed: u64, steps: u64) -> Report {
    guarded(seed, move || run_unguarded(liar, seed, steps))
}

fn run_unguarded(kind: Liar, seed: u64, steps: u64) -> Report {
    let mut luck = Luck::new(seed ^ 0xb43);
    let random = &mut luck.random;
    let hub = Hub::funded(Plan::one_bank(3, seed), 1_500 + random.below(2_000), random.below(3_000));
    let liar = usize::from(kind == Liar::User);
    let honest = (0..hub.hosts.len()).filter(|host| *host != liar).collect();
    let mut attack = Attack { hub, liar, honest, memory: Memory::default(), luck };
    for _ in 0..steps {
        attack.collect();
        attack.step();
        attack.check();
    }
    if kind == Liar::User {
        attack.heal();
    }
    finish(&attack.hub, attack.luck.report)
}

impl Attack {
    /// Everybody but the liar.
    fn check(&mut self) {
        // The liar's wallet says what it likes.
        let liar = self.liar;
        self.hub.orders.retain(|order| order.payer != liar && order.payee != liar);
        let users: Vec<_> = self.honest.iter().copied().filter(|host| !self.hub.is_bank(*host)).collect();
        let banks = self.honest.iter().filter(|host| self.hub.is_bank(**host));
        let checks = users.iter().map(|user| self.hub.check_user(*user));
        for result in checks.chain(banks.map(|bank| self.hub.check_bank(*bank, &users))) {
            if let Err(loss) = result {
                panic!("{loss}");
            }
        }
        if self.hub.is_bank(liar) {
            return;
        }
        if let Err(difference) = self.hub.check_payments() {
            panic!("{difference}");
        }
    }

    /// Honest hosts that the liar has a session with.
    fn victims(&self) -> Vec<usize> {
        let stands = |host: &usize| self.hub.sessions.contains(&(self.liar.min(*host), self.liar.max(*host)));
        self.honest.iter().copied().filter(stands).collect()
    }

    fn victim(&mut self) -> Option<usize> {
        let victims = self.victims();
        victims.get(self.luck.random.index(victims.len())).copied()
    }

    fn step(&mut self) {
        let host = self.luck.random.index(self.hub.hosts.len());
        match self.luck.random.below(100) {
            0..45 => {
                self.let_court_refuse();
                deliver(&mut self.hub, &mut self.luck);
            }
            45..58 => honest_wish(&mut self.hub, host, &mut self.luck),
            58..66 => follow(&mut self.hub, host, &mut self.luck),
            66..71 => blocks(&mut self.hub, &self.honest, &mut self.luck.random),
            71..76 => self.hub.connect_all(),
            76..78 => self.reconnect(),
            78..80 => self.replay(),
            80..90 => self.forge_frame(),
            90..95 => self.forge_reply(),
            95..97 => self.greet_with_old(),
            97..98 => self.send_broken(),
            _ => self.withdraw_anything(),
        }
    }

    /// What the liar sees: its own wires, and every both-signed state of its channels.
    fn collect(&mut self) {
        let memory = &mut self.memory;
        for ((from, to), queue) in self.hub.wires.iter().filter(|((from, to), _)| [*from, *to].contains(&self.liar)) {
            let Some(bytes) = queue.back() else { continue };
            if *from == self.liar && memory.sent.get(to).and_then(|sent| sent.last()) != Some(bytes) {
                memory.sent.entry(*to).or_default().push(bytes.clone());
            }
            let Ok(Peer::Update(update)) = Peer::decode(bytes) else { continue };
            for transition in update.frame.into_iter().flat_map(|frame| frame.transitions) {
                match transition {
                    Transition::Settle { secret, .. } => drop(memory.secrets.insert(lock_hash(&secret), secret)),
                    Transition::Lock { lock, onion, .. } => memory.locks.push((lock.hash, onion)),
                    _ => {}
                }
            }
        }
        for host in &self.honest {
            let Some(channel) = self.hub.channel(*host, self.liar) else { continue };
            let shown = memory.shown.entry(*host).or_default();
            let agreement = channel.agreement();
            if shown.last().is_none_or(|last| last.state != agreement.state) {
                let (state, shared) = (agreement.state.clone(), agreement.shared.clone());
                shown.push(Shown { state, signatures: channel.signatures(), shared });
                memory.backups.push(self.hub.hosts[self.liar].disk.clone());
            }
        }
    }

    /// A secret that an honest bank knows in time goes on-chain, and a lock is not taken back then. Heads lag at
    /// random here, and with them what a bank reveals: so the frame that takes it back gets lost.
    fn let_court_refuse(&mut self) {
        let banks = self.hub.plan.banks;
        for host in self.honest.clone().into_iter().filter(|host| *host < banks) {
            let bank = self.hub.hosts[host].bank();
            let known: BTreeSet<Hash> = bank.forwards().filter(|f| f.secret.is_some()).map(|f| f.hash).collect();
            let Some(channel) = self.hub.channel(host, self.liar) else { continue };
            let state = channel.agreement().state.clone();
            let takes_back = |bytes: &Vec<u8>| {
                let Ok(Peer::Update(update)) = Peer::decode(bytes) else { return false };
                update.frame.iter().flat_map(|frame| &frame.transitions).any(|transition| match transition {
                    Transition::Expire { lock } => state.lock(lock).is_some_and(|lock| known.contains(&lock.hash)),
                    _ => false,
                })
            };
            if let Some(queue) = self.hub.wires.get_mut(&(self.liar, host)) {
                queue.retain(|bytes| !takes_back(bytes));
            }
        }
    }

    /// A new session; sometimes the liar starts from an old backup, sometimes power fails elsewhere.
    fn reconnect(&mut self) {
        let links = self.hub.plan.links.clone();
        let link = links[self.luck.random.index(links.len())];
        if self.luck.random.chance(1, 4) && !self.memory.backups.is_empty() {
            let backup = self.memory.backups[self.luck.random.index(self.memory.backups.len())].clone();
            self.hub.hosts[self.liar].disk = backup;
            self.hub.hosts[self.liar].released.clear();
            self.hub.restart(self.liar);
        }
        if self.luck.random.chance(1, 4) {
            self.hub.restart(self.honest[self.luck.random.index(self.honest.len())]);
            self.luck.crashed(true);
        }
        self.hub.connect(link);
        for wire in [link, (link.1, link.0)] {
            self.hub.deliver(wire, 0, super::Keep::Gone, Crash::Never);
        }
    }

    fn inject(&mut self, victim: usize, bytes: &[u8]) {
        let key = self.hub.hosts[self.liar].public();
        self.hub.tell(victim, Told::Message(key, bytes), Crash::Never);
    }

    fn replay(&mut self) {
        let Some(victim) = self.victim() else { return };
        let Some(sent) = self.memory.sent.get(&victim) else { return };
        let bytes = sent[self.luck.random.index(sent.len())].clone();
        self.inject(victim, &bytes);
    }

    fn forge(&mut self, victim: usize, forgery: Forgery) -> Option<Frame> {
        let channel = self.hub.channel(victim, self.liar)?;
        let (key, own) = (&self.hub.hosts[self.liar].key, self.hub.hosts[victim].public());
        let view = fair_core::peers::Chain::of(&self.hub.ledger).channel(own, key.public());
        Some(forge_over(channel, key, &view, forgery))
    }

    fn forge_frame(&mut self) {
        let Some(victim) = self.victim() else { return };
        let Some(channel) = self.hub.channel(victim, self.liar) else { return };
        let forged = self.memory.forged.get(&victim).copied().unwrap_or(0);
        let next = next_number_in(channel).max(forged + 1);
        self.memory.forged.insert(victim, next);
        let number = match self.luck.random.below(6) {
            0 => next.saturating_sub(1),
            1 => next + 1,
            _ => next,
        };
        let tip = self.hub.ledger.height();
        let as_of_height = match self.luck.random.below(4) {
            0 => Some(tip.saturating_sub(self.luck.random.below(8))),
            1 => Some(self.hub.hosts[victim].follower.height()),
            _ => None,
        };
        let transitions: Vec<_> = (0..self.luck.random.below(4)).filter_map(|_| self.some_transition(victim)).collect();
        let restore = self.luck.random.chance(1, 25);
        let forgery = Forgery { number: Some(number), base: None, as_of_height, transitions, restore };
        let Some(frame) = self.forge(victim, forgery) else { return };
        self.send_update(victim, None, Some(frame));
    }

    fn send_update(&mut self, victim: usize, reply: Option<Reply>, frame: Option<Frame>) {
        let takes_back = |frame: &Frame| frame.transitions.iter().any(|t| matches!(t, Transition::Expire { .. }));
        if self.hub.is_bank(victim) && frame.as_ref().is_some_and(takes_back) {
            return;
        }
        let Some(epoch) = self.hub.channel(victim, self.liar).map(|channel| channel.epoch()) else { return };
        let bytes = Peer::Update(Box::new(Update { epoch, reply, frame })).encode();
        self.memory.sent.entry(victim).or_default().push(bytes.clone());
        self.inject(victim, &bytes);
    }

    fn some_transition(&mut self, victim: usize) -> Option<Transition> {
        let channel = self.hub.channel(victim, self.liar)?;
        let (side, agreement) = (channel.partner(), channel.agreement());
        let locks: Vec<_> = [side, side.other()]
            .iter()
            .flat_map(|giver| agreement.state.locks_of(*giver))
            .map(|(id, lock)| (id, lock.clone()))
            .collect();
        let some = locks.get(self.luck.random.index(locks.len())).cloned();
        let now = self.hub.ledger.state().usable_height();
        let index = *agreement.shared.next_index.get(side);
        let nonce = agreement.shared.asset(FRD).map_or(0, |entry| *entry.consent_nonces.get(side));
        let amount = 1 + self.luck.random.below(1_500);
        let asset = FRD;
        Some(match (self.luck.random.below(10), some) {
            (0, _) => Transition::Pay { asset, amount, note: Vec::new() },
            (1 | 2, _) => {
                let known = self.memory.locks.get(self.luck.random.index(self.memory.locks.len())).cloned();
                let (hash, onion) = known.unwrap_or((Hash([1; 32]), vec![1]));
                Transition::Lock {
                    asset,
                    lock: Lock { index, amount, hash, expiry: now + self.luck.random.below(80) },
                    onion,
                }
            }
            (3 | 4, Some((lock, terms))) => {
                let secret = self.memory.secrets.get(&terms.hash).copied().unwrap_or(Secret([0; 32]));
                Transition::Settle { lock, secret }
            }
            (5, Some((lock, _))) => Transition::Fail { lock, reason: FailReason::Rejected },
            (6, Some((lock, _))) => Transition::Expire { lock },
            (7, _) => {
                Transition::RequestWithdrawal { asset, amount, nonce, expires_at: now + self.luck.random.below(14) }
            }
            (8, _) => Transition::RequestInsurance { asset },
            _ => Transition::SetCredit { asset, limit: amount, insure_above: None },
        })
    }

    /// Acknowledges or refuses the honest party's frame, whatever was said before.
    fn forge_reply(&mut self) {
        let Some(victim) = self.victim() else { return };
        let Some(channel) = self.hub.channel(victim, self.liar) else { return };
        let Some(state) = channel.outcomes().last().cloned() else { return };
        let reply = if self.luck.random.chance(2, 3) {
            let signature = state.sign(&state.chain_id, &self.hub.hosts[self.liar].key);
            Reply::Ack { frame: state.frame, signature }
        } else {
            refusal(state.frame, self.hub.ledger.height() + self.luck.random.below(3))
        };
        let transitions: Vec<_> = self.some_transition(victim).into_iter().collect();
        let frame = if self.luck.random.chance(1, 3) {
            self.forge(victim, Forgery { transitions, ..Forgery::default() })
        } else {
            None
        };
        self.send_update(victim, Some(reply), frame);
    }

    /// Shows an old state that both signed.
    fn greet_with_old(&mut self) {
        let Some(victim) = self.victim() else { return };
        let Some(shown) = self.memory.shown.get(&victim) else { return };
        let Shown { state, signatures, shared } = shown[self.luck.random.index(shown.len())].clone();
        let epoch = state.epoch;
        let bytes = Peer::Hello(Box::new(Hello { epoch, state, signatures, shared })).encode();
        self.inject(victim, &bytes);
    }

    fn send_broken(&mut self) {
        let Some(victim) = self.victim() else { return };
        let Some(sent) = self.memory.sent.get(&victim) else { return };
        let mut bytes = sent[self.luck.random.index(sent.len())].clone();
        for _ in 0..1 + self.luck.random.below(3) {
            let position = self.luck.random.index(bytes.len());
            bytes[position] ^= 1 << self.luck.random.below(8);
        }
        self.inject(victim, &bytes);
    }

    /// Submits every consent that it ever got.
    fn withdraw_anything(&mut self) {
        let own = self.hub.hosts[self.liar].public();
        let released = self.honest.iter().filter_map(|host| self.hub.hosts[*host].released.get(&own));
        let consents: Vec<Signed<WithdrawalConsent>> =
            released.flat_map(|released| released.consents.clone()).collect();
        let state = self.hub.ledger.state();
        let (Some(account), chain_id) = (state.account(&own), state.chain_id()) else { return };
        if consents.is_empty() {
            return;
        }
        let newest = consents.into_iter().rev().take(8);
        let entries = newest.map(|proof| Entry { group: None, operation: Operation::Withdraw(Withdraw { proof }) });
        let batch = Batch {
            signer: own,
            nonce: account.nonce,
            valid_until: state.height() + u64::from(state.parameters().max_batch_life_heights),
            fee_rate: state.parameters().min_fee_rate,
            entries: entries.collect(),
        };
        let signed = Signed::new(batch, &chain_id, &self.hub.hosts[self.liar].key);
        self.hub.submit(signed);
    }

    /// The liar is gone for good: payments between the others end.
    fn heal(&mut self) {
        self.hub.lose_sessions(self.liar);
        let links: Vec<_> = self.hub.plan.links.iter().copied().filter(|(_, user)| *user != self.liar).collect();
        for link in &links {
            self.hub.connect(*link);
        }
        for _ in 0..150 {
            for host in self.honest.clone() {
                while self.hub.behind(host) > 0 {
                    self.hub.follow(host, Crash::Never);
                }
            }
            for link in &links {
                if !self.hub.sessions.contains(link) {
                    self.hub.connect(*link);
                }
            }
            self.hub.settle_down();
            self.check();
            let ended = |state| matches!(state, Some(PaymentState::Paid | PaymentState::Failed) | None);
            let hub = &self.hub;
            let state = |order: &super::Order| {
                hub.hosts[order.payer].wallet().payment(&order.request).map(|payment| payment.state)
            };
            if hub.orders.iter().all(|order| ended(state(order))) {
                return;
            }
            let pressing = self.hub.pressing(&self.honest, 1);
            assert!(pressing.is_empty(), "known secrets wait although everybody is connected: {pressing:?}");
            self.hub.mine();
        }
        panic!("payments between honest users do not end");
    }
}
