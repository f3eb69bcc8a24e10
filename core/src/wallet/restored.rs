//! A wallet made from its words: what it signed before is forgotten (docs/protocol.md, section 4, rule 8).
//!
//! The store of such a wallet begins with [`Wallet::first_record_from_words`], put there in the transaction that
//! stores the words, so that no crash makes it look like a new one. From then on every channel that it comes
//! to have, whoever names the bank, begins as after data loss: it adopts what the bank shows and signs
//! nothing before a new block.
//!
//! Once the head is fresh the wallet asks every registered bank once, those first with which the chain shows a
//! channel. A bank that shows a state, or with which the chain shows collateral, is kept as if the person had
//! added it; one that shows nothing is forgotten and not asked again.

use super::{Event, Out, Wallet};
use crate::account::{BadRecord, read};
use crate::channel::state::StateOrder;
use crate::codec;
use crate::effect::Effect;
use crate::limits;
use crate::ordered;
use crate::peers::{Chain, Past};
use crate::types::{Parties, PublicKey, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// The record's key.
const RESTORED: u8 = b'r';

/// What is kept of a restore, for as long as the wallet exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Restored {
    /// Whom the wallet asked; `None` until the head is fresh.
    #[borsh(deserialize_with = "ordered::read_optional_map")]
    banks: Option<BTreeMap<PublicKey, Answer>>,
}

/// What a bank said to a restored wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
enum Answer {
    /// It has not answered.
    Awaited,
    /// It showed nothing, and its channel was forgotten.
    Nothing,
    /// Its channel is used.
    Kept,
}

/// How far a restore is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    /// The banks that are asked, in order of keys; `None`: nobody yet, because the head is not fresh.
    pub banks: Option<Vec<(PublicKey, RestoreStage)>>,
}

/// How far the restore with one bank is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreStage {
    /// It has not shown its newest state.
    Asked,
    /// It has nothing of this wallet.
    Nothing,
    /// Its state was adopted; a new block, then its signature must come.
    Adopted,
    /// Both have signed: the channel works as before.
    Restored,
}

impl Wallet {
    /// Key and value with which the store of a wallet made from its words begins. A wallet with a new key begins
    /// with an empty store.
    pub fn first_record_from_words() -> (Vec<u8>, Vec<u8>) {
        (vec![RESTORED], codec::encode(&Restored::default()))
    }

    /// How far the restore is; `None` for a wallet that was not made from its words.
    pub fn restoration(&self) -> Option<Restoration> {
        let restored = self.restored.as_ref()?;
        let stages = |banks: &BTreeMap<PublicKey, Answer>| {
            banks.iter().map(|(bank, answer)| (*bank, self.restore_stage(bank, *answer))).collect()
        };
        Some(Restoration { banks: restored.banks.as_ref().map(stages) })
    }

    fn restore_stage(&self, bank: &PublicKey, answer: Answer) -> RestoreStage {
        match self.channel(bank) {
            _ if answer == Answer::Nothing => RestoreStage::Nothing,
            Some(channel) if !channel.is_restoring() => RestoreStage::Restored,
            Some(channel) if channel.has_adopted() => RestoreStage::Adopted,
            Some(_) | None => RestoreStage::Asked,
        }
    }

    pub(super) fn restore_restored(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        if key != [RESTORED] {
            return Ok(false);
        }
        self.restored = Some(read(RESTORED, value)?);
        Ok(true)
    }

    /// Banks that had not answered when the process ended have no record of their own.
    pub(super) fn ask_again(&mut self) {
        for bank in self.awaited() {
            self.peers.ensure(bank, Past::Forgotten);
        }
    }

    fn awaited(&self) -> Vec<PublicKey> {
        let banks = self.restored.iter().flat_map(|restored| restored.banks.iter().flatten());
        banks.filter(|(_, answer)| **answer == Answer::Awaited).map(|(bank, _)| *bank).collect()
    }

    /// Whether a bank is only being asked for what it knows.
    pub(super) fn is_awaited(&self, bank: &PublicKey) -> bool {
        let answer = self.restored.as_ref().and_then(|restored| restored.banks.as_ref()?.get(bank));
        answer == Some(&Answer::Awaited)
    }

    /// What a channel begins with that has no record.
    pub(super) const fn past(&self) -> Past {
        if self.restored.is_some() { Past::Forgotten } else { Past::None }
    }

    fn note_answer(&mut self, bank: PublicKey, answer: Answer, out: &mut Out) {
        let Some(restored) = &mut self.restored else { return };
        let Some(known) = restored.banks.as_mut().and_then(|banks| banks.get_mut(&bank)) else { return };
        if *known != answer {
            *known = answer;
            out.write.put(vec![RESTORED], codec::encode(restored));
        }
    }

    /// The person uses this bank, whatever it answers.
    pub(super) fn keep_bank(&mut self, bank: PublicKey, out: &mut Out) {
        self.note_answer(bank, Answer::Kept, out);
    }

    /// Begins to ask, with the first fresh head.
    pub(super) fn ask_banks(&mut self, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        let waits = self.restored.as_ref().is_some_and(|restored| restored.banks.is_none());
        if !waits || chain.is_stale(now_ms) {
            return;
        }
        let own = self.key();
        let funded = chain.state.partners(&own).filter(|key| chain.state.bank(key).is_some());
        let registered = chain.state.banks().map(|bank| bank.key).filter(|key| *key != own);
        let mut banks = BTreeMap::new();
        for bank in funded.chain(registered) {
            if banks.len() >= limits::MAX_BANKS_ASKED {
                break;
            }
            let is_used = self.channel(&bank).is_some();
            banks.insert(bank, if is_used { Answer::Kept } else { Answer::Awaited });
        }
        let restored = Restored { banks: Some(banks) };
        out.write.put(vec![RESTORED], codec::encode(&restored));
        self.restored = Some(restored);
        for bank in self.awaited() {
            self.peers.ensure(bank, Past::Forgotten);
            out.notify(Event::SessionWanted(bank));
        }
    }

    /// A bank has shown its newest state.
    pub(super) fn adopted(&mut self, bank: PublicKey, state: StateOrder, chain: &Chain<'_>, out: &mut Out) {
        if self.is_awaited(&bank) {
            let parties = Parties::new(self.key(), bank);
            let funded = parties.is_some_and(|parties| !chain.state.channel(&parties).assets.is_empty());
            if state == StateOrder::DEFAULT && !funded {
                self.note_answer(bank, Answer::Nothing, out);
                self.peers.forget(&bank, &mut out.write);
                out.push(Effect::Disconnect { peer: bank });
                out.notify(Event::SessionUnwanted(bank));
            } else {
                self.note_answer(bank, Answer::Kept, out);
            }
        }
        out.notify(Event::Channel(bank));
    }
}
