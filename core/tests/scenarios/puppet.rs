//! A channel that a scenario drives by hand, with whatever view of the chain suits it: the base of every
//! adversary here.

use crate::world::*;
use fair_core::chain::params::Parameters;
use fair_core::channel::Channel;
use fair_core::channel::event::{Command, Context, Debug, Effect, Event, Input, Refusal};
use fair_core::channel::shared::{ChainView, CourtStatus, Facts, Head};
use fair_core::crypto::SecretKey;
use fair_core::peers::{Chain, ChannelView};
use fair_core::types::{Hash, Height, Parties, PublicKey, UsableHeight};

/// The party of a channel that does what a scenario says.
pub(crate) struct Puppet {
    pub(crate) channel: Channel,
    pub(crate) key: SecretKey,
    /// Pretends that the chain stood still at this U: such a party believes every deadline to be far.
    pub(crate) frozen: Option<UsableHeight>,
    pub(crate) events: Vec<Event>,
    /// What it would send is kept back while this is set.
    pub(crate) silent: Option<Vec<Vec<u8>>>,
}

struct Frozen<'a> {
    truth: ChannelView<'a>,
    frozen: Option<UsableHeight>,
}

impl ChainView for Frozen<'_> {
    fn parameters(&self) -> &Parameters {
        self.truth.parameters()
    }

    fn head(&self) -> Head {
        let head = self.truth.head();
        Head { usable_height: self.frozen.unwrap_or(head.usable_height), ..head }
    }

    fn facts(&self, height: Height) -> Option<Facts> {
        self.truth.facts(height)
    }

    fn revealed(&self, hash: &Hash, height: Height) -> Option<UsableHeight> {
        self.truth.revealed(hash, height)
    }

    fn court(&self) -> CourtStatus {
        self.truth.court()
    }
}

impl Puppet {
    /// A party without a wallet, connected with the bank and greeted by it.
    pub(crate) fn new(world: &mut World, key: &SecretKey) -> Self {
        let parties = Parties::new(key.public(), world.bank).unwrap();
        let side = parties.side_of(&key.public()).unwrap();
        let channel = Channel::new(world.follower.state().chain_id(), parties, side);
        let mut puppet = Self { channel, key: key.clone(), frozen: None, events: vec![], silent: None };
        world.puppet(key);
        puppet.input(world, Input::Connected).unwrap();
        puppet.run(world);
        puppet
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.key.public()
    }

    pub(crate) fn input(&mut self, world: &mut World, input: Input<'_>) -> Result<(), Refusal> {
        let (own, bank) = (self.key.public(), world.bank);
        let truth = Chain::of(&world.follower).channel(own, bank);
        let view = Frozen { truth, frozen: self.frozen };
        let context = Context { chain: &view, key: &self.key, now_ms: world.now_ms, debug: Debug::Off };
        for effect in self.channel.handle(input, &context)? {
            match effect {
                Effect::Send(bytes) => match &mut self.silent {
                    Some(kept) => kept.push(bytes),
                    None => world.messages.push_back((own, bank, bytes)),
                },
                Effect::Event(event) => self.events.push(event),
                Effect::Write | Effect::Timer { .. } => {}
            }
        }
        Ok(())
    }

    pub(crate) fn command(&mut self, world: &mut World, command: Command) -> Result<(), Refusal> {
        self.input(world, Input::Command(command))
    }

    /// Delivers everybody's messages until all is quiet.
    pub(crate) fn run(&mut self, world: &mut World) {
        loop {
            world.deliver();
            let inbox = world.take_inbox(self.public());
            if inbox.is_empty() && world.messages.is_empty() {
                return;
            }
            for bytes in inbox {
                self.input(world, Input::Message(&bytes)).unwrap();
            }
        }
    }

    /// A block of which everybody hears, this party too.
    pub(crate) fn block(&mut self, world: &mut World) {
        world.block();
        self.input(world, Input::Head).unwrap();
        self.run(world);
    }
}
