use super::*;
use crate::genesis::{Plan, genesis};
use crate::home::Home;
use fair_core::account::SentState;
use fair_core::chain::follow::Follower;
use fair_core::channel::event::Debug;
use fair_core::crypto::SecretKey;
use fair_core::entropy::Entropy;
use fair_core::ledger::receipt::BatchOutcome;
use fair_core::wallet::Credit;
use tempfile::TempDir;

/// 1,000,000.00, as every validator's account has at first.
const BALANCE: Amount = 100_000_000;

/// A wallet with money on-chain and a bank that it never reaches, on a chain that the test builds.
struct World {
    follower: Follower,
    wallet: Wallet,
    bank: PublicKey,
    now_ms: TimeMs,
}

fn request(number: u8) -> RequestId {
    [number; 16]
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let genesis = genesis(&Plan::of_four(folder.path())).unwrap();
        let (home, _) = Home::open(&folder.path().join("v2")).unwrap();
        let config = wallet::Config { debug: Debug::Off };
        let entropy = Entropy::from_seed([1; 32]);
        let key = home.account_key().unwrap();
        let wallet = Wallet::restore(&config, key, genesis.chain_id(), entropy, []).unwrap();
        let (follower, now_ms) = (Follower::new(&genesis), genesis.time_ms);
        let mut world = Self { follower, wallet, bank: genesis.banks[0].key, now_ms };
        let credit = vec![Credit { asset: AssetId::FRD, limit: 1_000, insure_above: None, most_price: 0 }];
        let input = Input::AddBank { bank: world.bank, credit };
        world.wallet.handle(input, &Chain::of(&world.follower), now_ms).unwrap();
        world
    }

    fn deposit(&mut self, request: RequestId, amount: Amount) -> Step {
        let order = DepositOrder { request, bank: self.bank, asset: AssetId::FRD, amount };
        deposit(&mut self.wallet, &order, &Chain::of(&self.follower), self.now_ms)
    }

    /// A block with the batch under way, or without it.
    fn block(&mut self, with_batch: bool) -> Vec<BatchOutcome> {
        self.now_ms += 1_000;
        let sent = self.wallet.on_chain().under_way().map(|sent| sent.batch.clone());
        let batches: Vec<_> = sent.into_iter().filter(|_| with_batch).collect();
        let proposer = self.follower.state().validators().validators[0].account;
        let built = self.follower.build(&batches, proposer, self.now_ms);
        assert!(built.left_out.is_empty(), "{:?}", built.left_out);
        let outcomes = built.step.outcomes().to_vec();
        self.follower.commit(built.step);
        let input = Input::Block { outcomes: &outcomes, openings: &[] };
        self.wallet.handle(input, &Chain::of(&self.follower), self.now_ms).unwrap();
        outcomes
    }

    fn state(&self, request: RequestId) -> &SentState {
        &self.wallet.on_chain().sent_for(&request).unwrap().state
    }
}

#[test]
fn a_deposit_is_signed_once() {
    let mut world = World::new();
    let (effects, stands) = world.deposit(request(1), 500);
    assert!(
        matches!(effects.as_slice(), [Effect::Write(_), .., Effect::Submit { .. }, Effect::Notify(_)]),
        "{effects:?}"
    );
    assert_eq!(stands, Ok(Stands::Sent));
    assert_eq!(world.deposit(request(1), 500), (Vec::new(), Ok(Stands::Sent)));
    assert_eq!(world.deposit(request(1), 501).1, Err(Refused::RequestUsed));
    assert_eq!(world.deposit(request(2), 500).1, Err(Refused::Busy));
    world.block(true);
    assert!(matches!(world.state(request(1)), SentState::Included { .. }));
    assert_eq!(world.deposit(request(1), 500), (Vec::new(), Ok(Stands::Sent)));
    assert_eq!(world.deposit(request(2), 500).1, Ok(Stands::Sent));
}

#[test]
fn what_the_account_cannot_pay_leaves_nothing_in_the_draft() {
    let mut world = World::new();
    for amount in [BALANCE, BALANCE - 1, BALANCE + 1, Amount::MAX] {
        let (_, stands) = world.deposit(request(1), amount);
        assert!(matches!(stands, Err(Refused::Funds { balance: BALANCE, .. })), "{amount}: {stands:?}");
        assert_eq!(world.wallet.on_chain().draft().count(), 0);
    }
    assert_eq!(world.deposit(request(1), 0), (Vec::new(), Err(Refused::Nothing)));
    // A name that was refused is free.
    assert_eq!(world.deposit(request(1), BALANCE - 100).1, Ok(Stands::Sent));
}

/// A batch that no block took comes back into the draft. Its order ended so; the next one is sent alone.
#[test]
fn what_was_never_included_is_not_sent_with_the_next_order() {
    let mut world = World::new();
    assert_eq!(world.deposit(request(1), 500).1, Ok(Stands::Sent));
    while *world.state(request(1)) == SentState::Waiting {
        world.block(false);
    }
    assert_eq!(*world.state(request(1)), SentState::Expired);
    assert_eq!(world.wallet.on_chain().draft().count(), 1);
    assert_eq!(world.deposit(request(1), 500), (Vec::new(), Ok(Stands::Sent)));
    assert_eq!(world.deposit(request(2), 700).1, Ok(Stands::Sent));
    let sent = world.wallet.on_chain().sent_for(&request(2)).unwrap();
    assert_eq!(sent.batch.body.entries.len(), 1);
    let outcomes = world.block(true);
    assert_eq!(outcomes[0].operations.len(), 1);
    let parties = Parties::new(world.wallet.key(), world.bank).unwrap();
    let part = world.follower.state().channel(&parties).asset_or_zero(AssetId::FRD);
    assert_eq!(part.insurance, 700);
}

/// There is nothing to take out, and nobody to ask.
#[test]
fn a_splice_is_checked_before_anything_is_asked() {
    let mut world = World::new();
    // Anybody else who is registered.
    let (state, own) = (world.follower.state(), world.wallet.key());
    let other = (0..4).filter_map(|id| state.account_key(id)).find(|key| ![own, world.bank].contains(key)).unwrap();
    let stranger = SecretKey::from_seed(&[9; 32]).public();
    let good = SpliceOrder {
        request: request(1),
        bank: world.bank,
        asset: AssetId::FRD,
        amount: 5_000,
        owner: world.wallet.key(),
        partner: other,
    };
    let bank = world.bank;
    let mut check = |order: SpliceOrder, asking, expected: fn(&Refused) -> bool| {
        let chain = Chain::of(&world.follower);
        let (effects, stands) = splice(&mut world.wallet, &order, asking, &chain, world.now_ms);
        assert!(effects.is_empty() && expected(stands.as_ref().unwrap_err()), "{order:?}: {stands:?}");
    };
    check(SpliceOrder { amount: 0, ..good }, Asking::May, |refused| *refused == Refused::Nothing);
    check(SpliceOrder { owner: other, ..good }, Asking::May, |refused| *refused == Refused::OwnChannel);
    check(SpliceOrder { asset: AssetId(9), ..good }, Asking::May, |it| *it == Refused::UnknownAsset(AssetId(9)));
    let same = SpliceOrder { partner: bank, ..good };
    check(same, Asking::May, |refused| *refused == Refused::Wallet(wallet::Refusal::SameChannel));
    let strange = SpliceOrder { owner: stranger, partner: bank, ..good };
    check(strange, Asking::May, |refused| matches!(refused, Refused::Wallet(wallet::Refusal::Target(_))));
    check(good, Asking::May, |refused| matches!(refused, Refused::Wallet(wallet::Refusal::Channel(_))));
    check(good, Asking::Done, |refused| *refused == Refused::Declined);
}
