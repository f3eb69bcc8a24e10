//! Vectors of governance, assets and banks: operations 5 to 9 and what they leave in the state.

use super::key;
use fair_core::chain::certificate::ValidatorSet;
use fair_core::chain::params::Parameters;
use fair_core::codec::encode;
use fair_core::ledger::operation::{BankTerms, CreateAsset, GovernanceAction, Operation, Propose, Vote};
use fair_core::ledger::state::{Key, Proposal, ProposalState, Release, Value, VoteCast};
use fair_core::types::{AssetId, Hash};

pub(super) fn asset() -> Operation {
    Operation::CreateAsset(CreateAsset { ticker: "GLD".into(), name: "Gold".into(), decimals: 3, supply: 1 << 62 })
}

pub(super) fn terms(handle: &str) -> BankTerms {
    BankTerms {
        handle: handle.into(),
        url: "https://bank.example".into(),
        fee_base: 2,
        fee_ppm: 1_000_000,
        insurance_price: 30,
    }
}

pub(super) fn rename() -> Operation {
    let action = GovernanceAction::RenameAsset { asset: AssetId::FRB, ticker: "BET".into(), name: "Bet".into() };
    Operation::Propose(Propose { action, text: "a better name".into() })
}

pub(super) fn vote(proposal: u64, approve: bool) -> Operation {
    Operation::Vote(Vote { proposal, approve, rationale: "agreed".into() })
}

/// Each as why, type, bytes, and whether they are a value.
pub(super) fn encodings(validators: &ValidatorSet) -> Vec<(String, &'static str, Vec<u8>, bool)> {
    let parameters = Box::new(Parameters::MAIN);
    let bundle = Hash([8; 32]);
    let actions = [
        ("parameters (action 0)", GovernanceAction::SetParameters { parameters }),
        ("validators (action 1)", GovernanceAction::SetValidators { validators: Box::new(validators.clone()) }),
        ("a bank to be struck off (action 2)", GovernanceAction::RemoveBank { bank: key(1).public() }),
        (
            "a name of an asset (action 3)",
            GovernanceAction::RenameAsset { asset: AssetId::FRB, ticker: "BET".into(), name: "Bet".into() },
        ),
        ("a release (action 4)", GovernanceAction::Release { version: 2, height: 1_000, bundle }),
    ];
    let states = [
        ("open", ProposalState::Open),
        ("accepted", ProposalState::Accepted { effective: 400 }),
        ("executed", ProposalState::Executed { at: 400 }),
        ("rejected", ProposalState::Rejected),
        ("void", ProposalState::Void),
    ];
    let mut vectors = Vec::new();
    let mut put = |why: String, of, bytes, valid| vectors.push((why, of, bytes, valid));
    for (why, action) in &actions {
        let propose = Propose { action: action.clone(), text: "why".into() };
        put(format!("a proposal (operation 5) of {why}"), "Operation", encode(&Operation::Propose(propose)), true);
    }
    let propose = encode(&Operation::Propose(Propose { action: actions[2].1.clone(), text: String::new() }));
    let mut unknown = propose.clone();
    unknown[1] = 5;
    put("action 5 does not exist".into(), "Operation", unknown, false);
    let mut broken_text = propose;
    *broken_text.last_chunk_mut::<4>().unwrap() = [1, 0, 0, 0];
    broken_text.push(0xff);
    put("a text is UTF-8".into(), "Operation", broken_text, false);
    put("a vote (operation 6) for".into(), "Operation", encode(&vote(1, true)), true);
    put("a vote (operation 6) against".into(), "Operation", encode(&vote(u64::MAX, false)), true);
    put("an asset to be made (operation 7)".into(), "Operation", encode(&asset()), true);
    let bank = |kind: fn(BankTerms) -> Operation| encode(&kind(terms("five")));
    put("a bank registers (operation 8)".into(), "Operation", bank(Operation::RegisterBank), true);
    put("a bank changes its terms (operation 9)".into(), "Operation", bank(Operation::UpdateBank), true);
    for (why, state) in states {
        let proposal = Proposal {
            proposer: key(2).public(),
            action: actions[2].1.clone(),
            text: "why".into(),
            start: 1,
            votes_until: 61,
            state,
        };
        put(
            format!("a proposal that is {why} (value 22)"),
            "Value",
            encode(&Value::Proposal(Box::new(proposal))),
            true,
        );
    }
    let keys = [
        ("a proposal's place (key 22)", Key::Proposal(7)),
        ("a proposal that falls due (key 23)", Key::ProposalByEnd(62, 7)),
        ("a vote's place (key 24)", Key::Vote(7, key(2).public())),
        ("a release's place (key 25)", Key::Release(2)),
        ("a handle's place (key 26)", Key::bank_handle("main")),
        ("a ticker's place (key 27)", Key::ticker("FRD")),
    ];
    for (why, key) in keys {
        put(why.into(), "Key", encode(&key), true);
    }
    put("key 28 does not exist".into(), "Key", vec![28], false);
    let cast = Box::new(VoteCast { approve: true, rationale: "agreed".into() });
    put("nothing but a key (value 16)".into(), "Value", encode(&Value::Due), true);
    put("a vote (value 24)".into(), "Value", encode(&Value::Vote(cast)), true);
    put("a release (value 25)".into(), "Value", encode(&Value::Release(Release { height: 1_000, bundle })), true);
    put("who has a handle (value 26)".into(), "Value", encode(&Value::BankHandle(key(1).public())), true);
    put("which asset has a ticker (value 27)".into(), "Value", encode(&Value::Ticker(AssetId::FRD)), true);
    put("value 28 does not exist".into(), "Value", vec![28], false);
    vectors
}
