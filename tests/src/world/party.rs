//! One party as a host runs it: the durable record and the book are written in one step, then messages
//! leave; a crash forgets everything else.

use super::book::Book;
use super::chain::{Chain, View};
use super::released::Released;
use fair_core::channel::Channel;
use fair_core::channel::event::{Context, Debug, Effect, Event, Input, Refusal};
use fair_core::channel::state::ChannelState;
use fair_core::crypto::SecretKey;
use fair_core::types::{Amount, Height, Parties, Side, TimeMs};

/// When a party loses power while it performs the effects of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Crash {
    /// Not at all.
    Never,
    /// Before the write.
    BeforeWrite,
    /// After this many sends.
    AfterSends(usize),
}

/// What left a party because of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Messages to the partner, in order.
    pub sent: Vec<Vec<u8>>,
    /// Everything that it was told.
    pub events: Vec<Event>,
    /// It lost power.
    pub crashed: bool,
}

/// One party.
#[derive(Clone)]
pub struct Party {
    /// Its key.
    pub key: SecretKey,
    /// The machine.
    pub channel: Channel,
    /// Its book.
    pub book: Book,
    /// Height of its head.
    pub height: Height,
    /// What its disk holds.
    pub disk: (Vec<u8>, Book),
    /// What it let go, by its messages alone.
    pub released: Released,
}

impl Party {
    /// A party with nothing.
    pub fn new(key: SecretKey, chain: &Chain, parties: Parties) -> Self {
        let side = parties.side_of(&key.public()).expect("a party");
        let channel = Channel::new(chain.chain_id, parties, side);
        let disk = (channel.record_bytes(), Book::default());
        Self { key, channel, book: Book::default(), height: 0, disk, released: Released::default() }
    }

    /// Its side.
    pub fn side(&self) -> Side {
        self.channel.side()
    }

    /// Takes an input and performs its effects, as far as the crash allows.
    ///
    /// # Errors
    /// The channel's refusal of a command.
    pub fn input(&mut self, input: Input<'_>, chain: &Chain, now_ms: TimeMs, crash: Crash) -> Result<Output, Refusal> {
        let view = View { chain, parties: self.channel.parties(), height: self.height };
        let context = Context { chain: &view, key: &self.key, now_ms, debug: Debug::States };
        let command = if let Input::Command(command) = &input { Some(command.clone()) } else { None };
        let before = self.channel.record_bytes();
        let effects = self.channel.handle(input, &context)?;
        assert!(
            effects.first() == Some(&Effect::Write) || self.channel.record_bytes() == before,
            "a record that changed is written"
        );
        if let Some(command) = command {
            self.book.commanded(&command);
        }
        let mut output = Output::default();
        for effect in effects {
            match effect {
                Effect::Event(event) => {
                    self.book.event(self.side(), &event);
                    output.events.push(event);
                }
                Effect::Send(bytes) => output.sent.push(bytes),
                Effect::Write | Effect::Timer { .. } => {}
            }
        }
        if crash == Crash::BeforeWrite {
            self.restart();
            return Ok(Output { crashed: true, ..Output::default() });
        }
        self.disk = (self.channel.record_bytes(), self.book.clone());
        if let Crash::AfterSends(count) = crash {
            output.sent.truncate(count);
            output.crashed = true;
        }
        for bytes in &output.sent {
            self.released.note(bytes, &self.channel.agreement().state, self.channel.side());
        }
        if output.crashed {
            self.restart();
        }
        Ok(output)
    }

    /// Power is back: everything but the disk is gone.
    pub fn restart(&mut self) {
        self.channel = Channel::from_record(&self.disk.0).expect("its own record");
        self.book = self.disk.1.clone();
    }

    /// Every state by which court could decide against this party, by what it let go: it answers with its
    /// own proof, so nothing below that counts.
    pub fn threats(&self) -> Vec<ChannelState> {
        self.released.threats(&self.channel.agreement().state)
    }

    /// What the partner could still take out with consents that this party sent.
    pub fn consented(&self, chain: &Chain) -> Amount {
        if self.released.consents.is_empty() {
            return 0;
        }
        let mut trial = chain.clone();
        self.released.consents.iter().filter(|proof| trial.withdraw(proof).is_ok()).map(|proof| proof.body.amount).sum()
    }

    /// Rule 11 for this party, by every state that threatens it.
    ///
    /// # Errors
    /// A sentence with the numbers.
    pub fn check_loss(&self, chain: &Chain) -> Result<(), String> {
        let row = chain.row(&self.channel.parties());
        let consented = self.consented(chain);
        let disputed = row.court.epoch != self.channel.epoch();
        if disputed {
            return Ok(());
        }
        for state in self.threats() {
            self.book.check_loss(self.side(), &state, &row, consented)?;
        }
        Ok(())
    }

    /// Drops what can no longer decide, so that worlds that differ only in the past are equal.
    pub fn forget_past(&mut self) {
        self.released.forget_below(self.channel.agreement().state.order());
    }
}
