//! Host of the wallet machine (`fair_core::wallet`): every input's writes in one durable transaction,
//! then its sends, timers and events, in order.
//!
//! The machine lives while the wallet is unlocked and the chain is known. If a write fails it is thrown
//! away: what it holds in memory is then ahead of the disk, and nothing of it may be shown or sent.

use super::Core;
use crate::chain::block::OPENING;
use crate::changes::Changes;
use crate::error::Error;
use crate::events::now_ms;
use crate::record;
use crate::view::ChannelChange;
use fair_core::chain::genesis::Purpose;
use fair_core::channel::event::Debug;
use fair_core::effect::{Effect, Write};
use fair_core::entropy::Entropy;
use fair_core::ledger::batch;
use fair_core::ledger::receipt::{BatchOutcome, Opening};
use fair_core::peers::Chain as ChainView;
use fair_core::types::{Hash, Height, PublicKey, TimeMs};
use fair_core::wallet::{Config, Event, Input, Refusal, Wallet as Machine};
use std::cell::Ref;
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

impl Core {
    /// The machine, to be read. To be let go before anything is awaited.
    pub(super) fn machine(&self) -> Result<Ref<'_, Machine>, Error> {
        Ref::filter_map(self.machine.borrow(), Option::as_ref).map_err(|_| match (self.broken(), self.key()) {
            (Some(error), _) => error,
            (None, Err(error)) => error,
            (None, Ok(_)) => {
                Error::passing("chain.unknown", "The network is not known yet: no relay has answered so far.")
            }
        })
    }

    /// Asks the machine with the chain at hand.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&Machine, &ChainView<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let machine = self.machine()?;
        let chain = self.chain()?;
        let follower = chain.follower();
        ask(&machine, &ChainView::of(&follower))
    }

    /// Starts the machine if the key and the chain are there and it does not run yet.
    pub(super) async fn start_machine(self: &Rc<Self>) -> Result<(), Error> {
        let _writing = self.writing.lock().await;
        let (Ok(key), Ok(chain)) = (self.key(), self.chain()) else { return Ok(()) };
        if self.machine.borrow().is_some() || self.broken().is_some() {
            return Ok(());
        }
        self.told.set(0);
        let mut seed = [0; 32];
        super::wallet::fill(&mut seed)?;
        let debug = if chain.genesis().purpose == Purpose::Test { Debug::States } else { Debug::Off };
        let stored = self.store.all(&[record::MACHINE]).await?;
        let records = stored.iter().map(|(key, value)| (key.get(1..).unwrap_or_default(), value.as_slice()));
        let machine = Machine::restore(&Config { debug }, key, chain.chain_id(), Entropy::from_seed(seed), records)
            .map_err(|error| {
                Error::new("storage.damaged", format!("The wallet's channels cannot be used: {error}."))
            })?;
        let towers = machine.towers().map(|view| view.tower.key);
        let peers: Vec<PublicKey> = machine.sessions().chain(towers).collect();
        *self.machine.borrow_mut() = Some(machine);
        for peer in peers {
            self.keep_session(peer);
        }
        Ok(())
    }

    /// Hands one input to the machine and does what it asks for.
    ///
    /// # Errors
    /// What the machine refuses, with nothing changed; `storage.…` with nothing stored.
    pub(super) async fn handle(self: &Rc<Self>, input: Input<'_>) -> Result<(), Error> {
        self.handle_with(input, Changes::default()).await
    }

    /// As [`Self::handle`], with records of ours in the same transaction.
    pub(super) async fn handle_with(self: &Rc<Self>, input: Input<'_>, mut changes: Changes) -> Result<(), Error> {
        self.may_sign()?;
        let _writing = self.writing.lock().await;
        let effects = {
            let chain = self.chain()?;
            let follower = chain.follower();
            drop(self.machine()?);
            let mut machine = self.machine.borrow_mut();
            let Some(machine) = machine.as_mut() else { return Ok(()) };
            machine.handle(input, &ChainView::of(&follower), now_ms()).map_err(|refusal| refused(&refusal))?
        };
        let mut effects = effects.into_iter().peekable();
        if let Some(Effect::Write(write)) = effects.next_if(|effect| matches!(effect, Effect::Write(_))) {
            add(&mut changes, write);
        }
        if !changes.is_empty()
            && let Err(error) = self.store.commit(changes).await
        {
            *self.machine.borrow_mut() = None;
            self.end_sessions();
            self.emit_status();
            return Err(error);
        }
        for effect in effects {
            self.perform(effect);
        }
        Ok(())
    }

    fn perform(self: &Rc<Self>, effect: Effect<Event>) {
        match effect {
            Effect::Write(_) => debug_assert!(false, "a write comes first and alone"),
            Effect::Send { to, bytes } => self.send(&to, &bytes),
            Effect::Disconnect { peer } => self.disconnect(&peer),
            Effect::Timer { at_ms } => self.set_timer(at_ms),
            Effect::Submit { batch } => {
                // The machine keeps the batch under way; delivery takes it from there, at once and again, that of
                // court with each block.
                if batch::is_court(&batch.body) {
                    self.delivery.borrow_mut().hurry();
                }
                self.deliver_soon();
            }
            Effect::Notify(event) => self.notify(event),
        }
    }

    fn notify(self: &Rc<Self>, event: Event) {
        match event {
            Event::Payment(id) => {
                if let Ok(payment) = self.payment_view(&id) {
                    self.events.emit("payment", &payment);
                }
            }
            Event::Invoice(id) => {
                if let Ok(invoice) = self.own_invoice(&id) {
                    self.events.emit("invoice", &invoice);
                }
            }
            Event::InvoicePaidAgain(_) => {}
            Event::Channel(bank) => self.emit_channel(&bank),
            Event::Draft => self.emit_draft(),
            Event::Batch(sent) => {
                self.delivery.borrow_mut().clear();
                self.emit_batch(sent.request);
                self.emit_status();
            }
            Event::Misbehaviour { bank, what } => {
                self.events.error(&Error::of("channel", &what).with("bank", bank.to_string()));
                self.emit_channel(&bank);
            }
            Event::Suspended { bank, .. } => self.emit_channel(&bank),
            Event::Court { peer, .. } => self.emit_channel(&peer),
            Event::Tower(tower) => self.follow_tower(tower),
            Event::TowerFault { tower, what } => {
                let message = format!("A watchtower broke its word: {what}.");
                self.events.error(&Error::new("tower.fault", message).with("tower", tower.to_string()));
            }
            Event::SessionWanted(bank) => self.keep_session(bank),
            Event::SessionUnwanted(bank) => self.end_session(&bank),
            Event::WithdrawalRefused { bank, .. } => {
                self.events.error(
                    &Error::passing(
                        "channel.withdrawal_refused",
                        "The bank refused the withdrawal; its money is free again.",
                    )
                    .with("bank", bank.to_string()),
                );
                self.emit_channel(&bank);
            }
        }
    }

    pub(super) fn emit_channel(&self, bank: &PublicKey) {
        self.events.emit("channel", &ChannelChange { bank: *bank });
    }

    fn set_timer(self: &Rc<Self>, at_ms: TimeMs) {
        if !self.timers.borrow_mut().insert(at_ms) {
            return;
        }
        let core = self.clone();
        spawn_local(async move {
            let wait = at_ms.saturating_sub(now_ms()).min(u64::from(u32::MAX >> 1));
            gloo_timers::future::TimeoutFuture::new(u32::try_from(wait).unwrap_or(u32::MAX >> 1)).await;
            core.timers.borrow_mut().remove(&at_ms);
            core.tell(Input::Tick).await;
        });
    }

    /// An input that no caller waits for: what goes wrong is an event.
    pub(super) async fn tell(self: &Rc<Self>, input: Input<'_>) {
        if self.machine.borrow().is_none() || self.may_sign().is_err() {
            return;
        }
        if let Err(error) = self.handle(input).await {
            self.events.error(&error);
        }
    }

    /// Tells the machine of a new head, with the outcomes of own batches under way, and what fell due meanwhile.
    pub(super) async fn feed_machine(self: &Rc<Self>) {
        if self.machine.borrow().is_none() {
            return;
        }
        let heard = async { Ok::<_, Error>((self.own_outcomes().await?, self.own_openings().await?)) };
        match heard.await {
            Ok((outcomes, openings)) => {
                self.tell(Input::Block { outcomes: &outcomes, openings: &openings }).await;
            }
            Err(error) => self.events.error(&error),
        }
    }

    async fn own_outcomes(&self) -> Result<Vec<BatchOutcome>, Error> {
        let waiting: Vec<_> = {
            let machine = self.machine()?;
            machine.on_chain().waiting().map(|sent| (sent.hash, sent.batch.body.valid_until)).collect()
        };
        let mut outcomes = Vec::new();
        for (hash, valid_until) in waiting {
            outcomes.extend(self.find_batch(&hash, valid_until).await?.map(|(_, _, outcome)| outcome));
        }
        Ok(outcomes)
    }

    /// What fell due for the own account in blocks that the machine was not told of since the engine started.
    async fn own_openings(&self) -> Result<Vec<Opening>, Error> {
        let own = self.machine()?.key();
        let chain = self.chain()?;
        let (from, until) = (self.told.get(), chain.height().saturating_add(1));
        let bounds = (record::mention(&own, from, 0), record::mention(&own, until, 0));
        let mut openings = Vec::new();
        for (key, _) in chain.store().range(&bounds.0, &bounds.1, u32::MAX).await? {
            let Some((height, index)) = record::mention_place(&key).filter(|(_, index)| index & OPENING > 0) else {
                continue;
            };
            if let Some(block) = chain.block(height).await? {
                openings.extend(block.openings.get((index ^ OPENING) as usize).cloned());
            }
        }
        self.told.set(until);
        Ok(openings)
    }

    /// The verified block that holds a batch of ours, by its hash.
    pub(super) async fn find_batch(
        &self,
        hash: &Hash,
        valid_until: Height,
    ) -> Result<Option<(Height, TimeMs, BatchOutcome)>, Error> {
        let chain = self.chain()?;
        let Some(account) = self.you() else { return Ok(None) };
        let life = u64::from(chain.state().parameters().max_batch_life_heights);
        let from = record::mention(&account, valid_until.saturating_sub(life), 0);
        let to = record::mention(&account, valid_until.saturating_add(1), 0);
        for (key, _) in chain.store().range(&from, &to, u32::MAX).await? {
            let Some((height, _)) = record::mention_place(&key) else { continue };
            let Some(block) = chain.block(height).await? else { continue };
            let time_ms = block.certified.block.header.time_ms;
            if let Some(outcome) = block.outcomes.into_iter().find(|outcome| outcome.hash == *hash) {
                return Ok(Some((height, time_ms, outcome)));
            }
        }
        Ok(None)
    }
}

/// Puts the machine's records into its table.
fn add(changes: &mut Changes, write: Write) {
    for key in write.deletes {
        changes.delete(record::machine(&key));
    }
    for (key, value) in write.puts {
        changes.put(record::machine(&key), value);
    }
}

/// A refusal with its code.
pub(super) fn refused(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::NotConnected { .. } => Error::passing("channel.offline", "The bank is not connected."),
        Refusal::UnknownBank { .. } => {
            Error::new("channel.unknown_bank", "This wallet does not use that bank yet; add it first.")
        }
        Refusal::NotABank { .. } => Error::new("channel.not_a_bank", "This account is not a bank."),
        Refusal::BadTower { .. } => Error::new("input.tower", "This is not the address of a watchtower."),
        Refusal::TowerIsBank { .. } => {
            Error::new("tower.is_bank", "A bank cannot watch itself: a watchtower is somebody else.")
        }
        Refusal::TooManyTowers { .. } => {
            Error::new("tower.too_many", "Remove a watchtower first; a wallet uses only so many.")
        }
        Refusal::UnknownTower { .. } => Error::new("tower.unknown", "This wallet does not use that watchtower."),
        Refusal::NoAsset => Error::new("channel.no_asset", "Name at least one asset."),
        Refusal::CreditTooLarge { asset } => {
            Error::new("input.credit", "A limit cannot be larger than any supply.").with("asset", u64::from(asset.0))
        }
        Refusal::WithdrawalUnderWay => {
            Error::passing("channel.withdrawal_under_way", "A withdrawal from this bank is under way already.")
        }
        Refusal::SameChannel => {
            Error::new("input.same_channel", "The money comes from this channel; choose another place for it.")
        }
        Refusal::Target(reason) => Error::of("batch", reason),
        Refusal::Invoice(error) => super::pay::bad_invoice(error),
        Refusal::Cancel(_) => Error::new("payment.cannot_cancel", "This invoice cannot be cancelled."),
        Refusal::Payment(error) => super::pay::cannot_pay(error),
        Refusal::Channel(error) => Error::of("channel", error),
        Refusal::Draft(error) => super::batches::cannot_draft(error),
        Refusal::Batch(error) => super::batches::cannot_send(error),
    }
}
