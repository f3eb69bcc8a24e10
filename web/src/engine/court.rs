//! Disputes of own channels.

use super::Core;
use super::batches::cannot_send;
use crate::error::Error;
use crate::explorer::Explorer;
use crate::view::{Channel, ChannelCourt, Resolution};
use fair_core::channel::Channel as CoreChannel;
use fair_core::channel::state::StateOrder;
use fair_core::ledger::batch::{self, Batch, Entry};
use fair_core::ledger::operation::{Dispute, Operation};
use fair_core::message::Signed;
use fair_core::peers::Chain as ChainView;
use fair_core::types::{PublicKey, Signature};
use fair_core::wallet::{Input, Wallet as Machine};
use fair_core::watch::CourtStage;
use std::rc::Rc;

impl Core {
    /// Takes the channel with a bank to court.
    pub(super) async fn dispute(self: &Rc<Self>, bank: &str) -> Result<Channel, Error> {
        let bank = self.resolve(bank)?;
        self.handle(Input::Dispute { bank }).await?;
        self.channel_with(&bank, &[])
    }
}

/// Where a channel stands in court, and what a dispute would do.
pub(super) fn view(
    machine: &Machine,
    chain: &ChainView<'_>,
    bank: &PublicKey,
    channel: &CoreChannel,
) -> Option<ChannelCourt> {
    let court = machine.court(bank, chain)?;
    let explorer = Explorer { state: chain.state, you: Some(machine.key()) };
    let (stage, problem, until) = match &court.stage {
        CourtStage::None => ("none", None, None),
        CourtStage::Wanted { problem } => ("wanted", Some(cannot_send(problem)), None),
        CourtStage::BatchUnderWay { until } => ("signed", None, Some((*until).into())),
        CourtStage::Answering { .. } => ("answering", None, None),
        CourtStage::Waiting { .. } => ("waiting", None, None),
    };
    Some(ChannelCourt {
        stage,
        problem,
        until,
        dispute: explorer.dispute(&channel.parties()),
        frame: (court.newest != StateOrder::DEFAULT).then_some(court.newest.frame.into()),
        assets: explorer.would_split(&channel.parties(), &channel.agreement().state.subs),
        answering: court.answer_under_way,
        delay: court.delay_blocks.into(),
        fee: fee(machine, chain, bank, channel),
        last: court.last.map(|last| Resolution {
            epoch: last.epoch.into(),
            frame: last.order.frame.into(),
            assets: last.assets,
        }),
    })
}

/// What a dispute with the newest state would cost. Of a signature only its length counts.
fn fee(machine: &Machine, chain: &ChainView<'_>, bank: &PublicKey, channel: &CoreChannel) -> u64 {
    let proof = Signed { body: channel.agreement().state.clone(), signature: Signature([0; 64]) };
    let operation = Operation::Dispute(Dispute { partner: *bank, proof: Some(proof) });
    let body = Batch {
        signer: machine.key(),
        nonce: 0,
        valid_until: 0,
        fee_rate: chain.parameters().min_fee_rate,
        entries: vec![Entry { group: None, operation }],
    };
    batch::fee(body.fee_rate, batch::bytes_when_signed(&body)).unwrap_or_default()
}
