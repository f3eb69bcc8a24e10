//! Makes the golden vectors out of fixed seeds.

use fair_core::chain::block::{CertifiedBlock, batches_root};
use fair_core::chain::certificate::{Certificate, Precommit, Prevote, Validator, ValidatorSet};
use fair_core::chain::follow::{Built, Follower};
use fair_core::chain::genesis::{Asset, Bank, Genesis, GenesisAccount, Purpose};
use fair_core::chain::header::Header;
use fair_core::chain::params::Parameters;
use fair_core::channel::shared::Sides;
use fair_core::channel::state::{ChannelState, Lock, Sub};
use fair_core::codec::encode;
use fair_core::crypto::{Secret, SecretKey, lock_hash};
use fair_core::ledger::batch::{self, Batch, Entry};
use fair_core::ledger::operation::{Answer, Deposit, Dispute, Operation, Reveal, Withdraw, WithdrawalConsent};
use fair_core::ledger::state::{
    CourtState, Debt, DebtQueue, Dispute as DisputeValue, Hashlock, Key, ProofEnd, StateProof, Value,
};
use fair_core::message::{Message, Signed};
use fair_core::types::{AssetId, Hash, Parties, PublicKey, Side, Signature};
use fair_core::vectors::{Case, ChainBlock, Vector, decoded};

mod registers;

const FRD: AssetId = AssetId::FRD;
const START: u64 = 10_000_000;

/// Every file with its vectors, in the order of `FILES`.
pub(crate) fn files() -> Vec<(&'static str, Vec<Vector>)> {
    let story = Story::tell();
    vec![
        ("encoding.json", encodings(&story)),
        ("hash.json", hashes(&story)),
        ("signature.json", signatures(&story)),
        ("proof.json", proofs(&story)),
        ("chain.json", vec![story.vector.clone()]),
    ]
}

fn vector(why: impl Into<String>, case: Case) -> Vector {
    Vector { why: why.into(), case }
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn genesis() -> Genesis {
    let account =
        |seed: u8| GenesisAccount { key: key(seed).public(), balances: vec![(FRD, START), (AssetId::FRB, START)] };
    let mut validators: Vec<_> = (1..=4_u8)
        .map(|seed| Validator {
            account: key(seed).public(),
            signing_key: key(100 + seed).public(),
            shares: 25,
            url: format!("http://127.0.0.1:{}", 9000 + u16::from(seed)),
        })
        .collect();
    validators.sort_by_key(|validator| validator.account);
    let asset = |id, ticker: &str, name: &str| Asset {
        id,
        ticker: ticker.into(),
        name: name.into(),
        decimals: 2,
        supply: 6 * START,
    };
    Genesis {
        network: "vectors".into(),
        purpose: Purpose::Test,
        time_ms: 1_700_000_000_000,
        parameters: Parameters::DEMO,
        validators: ValidatorSet { validators },
        assets: vec![asset(FRD, "FRD", "Fair dollar"), asset(AssetId::FRB, "FRB", "Fair bet")],
        accounts: (1..=6).map(account).collect(),
        banks: vec![Bank {
            key: key(1).public(),
            handle: "main".into(),
            url: "http://127.0.0.1:9101".into(),
            fee_base: 1,
            fee_ppm: 100,
            insurance_price: 25,
        }],
    }
}

fn deposit(amount: u64, to: &SecretKey, partner: Option<&SecretKey>) -> Deposit {
    Deposit {
        asset: FRD,
        amount,
        to: to.public(),
        partner: partner.map(SecretKey::public),
        keep: 0,
        epoch: None,
        invoice: None,
    }
}

fn certify(header: &Header, seeds: &[u8]) -> Certificate {
    let vote = Precommit { height: header.height, round: 0, block_hash: Some(header.hash()) };
    let set = genesis().validators;
    let signatures = set.validators.iter().map(|validator| {
        let signer = seeds.iter().map(|seed| key(*seed)).find(|key| key.public() == validator.signing_key)?;
        Some(vote.sign(&header.chain_id, &signer))
    });
    Certificate { height: header.height, round: 0, block_hash: header.hash(), signatures: signatures.collect() }
}

/// A short chain, with the refused variants of its third block, and what the other vectors take from it.
struct Story {
    genesis: Genesis,
    follower: Follower,
    certified: CertifiedBlock,
    consent: Signed<WithdrawalConsent>,
    batch: Signed<Batch>,
    vector: Vector,
}

impl Story {
    fn tell() -> Self {
        let genesis = genesis();
        let mut follower = Follower::new(&genesis);
        let root = follower.state().root();
        let chain_id = genesis.chain_id();
        let (user, other, bank, newcomer) = (key(5), key(6), key(1), key(200));
        let mut blocks = Vec::new();
        let mut now_ms = genesis.time_ms;
        let mut next = |follower: &mut Follower, why: &str, batches: &[Signed<Batch>], refused: bool| {
            now_ms += 1_000;
            let built = build(follower, batches, now_ms);
            let certified =
                CertifiedBlock { certificate: certify(&built.block.header, &[101, 102, 103]), block: built.block };
            if refused {
                blocks.extend(refusals(&certified, now_ms, &chain_id));
            }
            let outcomes = serde_json::to_value(built.step.outcomes()).unwrap();
            blocks.push(ChainBlock {
                why: why.into(),
                now_ms,
                hex: hex::encode(encode(&certified)),
                error: None,
                outcomes,
            });
            follower.commit(built.step);
            certified
        };
        next(&mut follower, "an empty block moves the clock alone", &[], false);
        let pay_in = signed(
            &follower,
            &user,
            vec![
                (None, Operation::Deposit(deposit(500_000, &user, Some(&bank)))),
                (
                    None,
                    Operation::Deposit(Deposit {
                        invoice: Some(b"order 7".to_vec()),
                        keep: 1,
                        ..deposit(70_000, &other, None)
                    }),
                ),
                (None, Operation::Deposit(deposit(0, &other, None))),
            ],
        );
        next(&mut follower, "deposits into a channel and to an account; an empty one is skipped", &[pay_in], false);
        let parties = Parties::new(user.public(), bank.public()).unwrap();
        let consent = WithdrawalConsent {
            chain_id,
            parties,
            epoch: 0,
            withdrawer: parties.side_of(&bank.public()).unwrap(),
            asset: FRD,
            amount: 100_000,
            nonce: 0,
            expires_at: 60,
        };
        let consent = Signed::new(consent, &chain_id, &user);
        let take = Operation::Withdraw(Withdraw { proof: consent.clone() });
        let insure = Operation::Deposit(Deposit { epoch: Some(0), ..deposit(100_000, &bank, Some(&newcomer)) });
        let rebalance = signed(&follower, &bank, vec![(Some(1), take.clone()), (Some(1), insure.clone())]);
        let third = next(
            &mut follower,
            "a rebalance: a withdrawal funds the insurance of a new account, as one group",
            std::slice::from_ref(&rebalance),
            true,
        );
        let again = signed(&follower, &bank, vec![(Some(1), take), (Some(1), insure)]);
        next(&mut follower, "the same consent again: its group is skipped, the fee is paid", &[again], false);
        let registers = [
            signed(
                &follower,
                &bank,
                vec![
                    (None, registers::rename()),
                    (None, registers::vote(1, true)),
                    (None, registers::vote(2, true)),
                    (None, Operation::UpdateBank(registers::terms("main"))),
                ],
            ),
            signed(
                &follower,
                &user,
                vec![
                    (None, registers::asset()),
                    (None, Operation::RegisterBank(registers::terms("main"))),
                    (None, Operation::RegisterBank(registers::terms("five"))),
                    (None, registers::rename()),
                ],
            ),
        ];
        next(&mut follower, "a proposal and its vote, an asset, banks; what nobody may is skipped", &registers, false);
        let why = "a chain from genesis, with refused variants of its third block".to_owned();
        let case = Case::Chain { genesis: hex::encode(encode(&genesis)), root, blocks };
        Self { genesis, follower, certified: third, consent, batch: rebalance, vector: Vector { why, case } }
    }
}

fn build(follower: &Follower, batches: &[Signed<Batch>], now_ms: u64) -> Built {
    let proposer = follower.state().validators().proposer(follower.height() + 1, 0).unwrap().account;
    let built = follower.build(batches, proposer, now_ms);
    assert!(built.left_out.is_empty());
    built
}

fn signed(follower: &Follower, signer: &SecretKey, operations: Vec<(Option<u16>, Operation)>) -> Signed<Batch> {
    let state = follower.state();
    let batch = Batch {
        signer: signer.public(),
        nonce: state.account(&signer.public()).unwrap().nonce,
        valid_until: state.height() + 20,
        fee_rate: 10,
        entries: operations.into_iter().map(|(group, operation)| Entry { group, operation }).collect(),
    };
    Signed::new(batch, &state.chain_id(), signer)
}

/// One change for each rule of verification. Those with `true` are certified anew, by a set that lies.
fn refusals(good: &CertifiedBlock, now_ms: u64, chain_id: &Hash) -> Vec<ChainBlock> {
    type Change<'a> = Box<dyn Fn(&mut CertifiedBlock) + 'a>;
    let flip = |hash: &mut Hash| hash.0[31] ^= 1;
    let header = |change: fn(&mut Header)| -> Change<'_> { Box::new(move |block| change(&mut block.block.header)) };
    let cases: Vec<(&str, &str, bool, Change<'_>)> = vec![
        ("rules of another version", "unknown_version", true, header(|header| header.version = 2)),
        ("of another network", "wrong_chain", true, header(|header| header.chain_id.0[0] ^= 1)),
        ("not the next height", "wrong_height", true, header(|header| header.height += 1)),
        ("sooner than the least interval", "too_early", true, header(|header| header.time_ms -= 1)),
        ("ahead of the clock", "from_the_future", true, header(|header| header.time_ms += 5_001)),
        ("a time that was not certified", "certificate_for_other_block", false, header(|header| header.time_ms += 1)),
        ("built by nobody of the set", "unknown_proposer", true, header(|header| header.proposer.0[0] ^= 1)),
        ("on another predecessor", "wrong_previous", true, header(|header| header.previous.0[0] ^= 1)),
        ("the clock U jumps", "wrong_usable_height", true, header(|header| header.usable_height += 1)),
        ("commits to other batches", "wrong_batches", true, header(|header| header.batches_root.0[0] ^= 1)),
        ("certified with a wrong state root", "wrong_state_root", true, header(|header| header.state_root.0[0] ^= 1)),
        ("served with a wrong state root", "wrong_state_root", false, header(|header| header.state_root.0[0] ^= 1)),
        ("another validator set", "wrong_validators", true, header(|header| header.validators_hash.0[0] ^= 1)),
        ("another next set", "wrong_next_validators", true, header(|header| header.next_validators_hash.0[0] ^= 1)),
        ("other parameters", "wrong_parameters", true, header(|header| header.parameters_hash.0[0] ^= 1)),
        (
            "a batch changed on the way",
            "wrong_batches",
            false,
            Box::new(|block| block.block.batches[0].body.nonce ^= 1),
        ),
        (
            "a batch's signature changed on the way",
            "wrong_batches",
            false,
            Box::new(|block| block.block.batches[0].signature.0[0] ^= 1),
        ),
        (
            "a certified batch that is not signed",
            "bad_batch",
            true,
            Box::new(|block| {
                block.block.batches[0].signature.0[0] ^= 1;
                block.block.header.batches_root = batches_root(&block.block.batches);
            }),
        ),
        (
            "a certified batch with an old nonce",
            "bad_batch",
            true,
            Box::new(|block| {
                let mut batch = block.block.batches[0].body.clone();
                batch.nonce += 1;
                block.block.batches[0] = Signed::new(batch, chain_id, &key(1));
                block.block.header.batches_root = batches_root(&block.block.batches);
            }),
        ),
        (
            "a certificate of another height",
            "certificate_height",
            false,
            Box::new(|block| block.certificate.height += 1),
        ),
        ("a certificate of another round", "certificate_vote", false, Box::new(|block| block.certificate.round += 1)),
        (
            "a certificate for another hash",
            "certificate_block_hash",
            false,
            Box::new(move |block| flip(&mut block.certificate.block_hash)),
        ),
        (
            "a flipped bit in a precommit",
            "certificate_signature",
            false,
            Box::new(|block| {
                let signature = block.certificate.signatures.iter_mut().flatten().next().unwrap();
                signature.0[0] ^= 1;
            }),
        ),
        ("a place too few", "certificate_length", false, Box::new(|block| block.certificate.signatures.truncate(3))),
        (
            "half of the shares",
            "no_quorum",
            false,
            Box::new(|block| {
                block.certificate = certify(&block.block.header, &[101, 102]);
            }),
        ),
    ];
    let refused = cases.into_iter().map(|(why, error, certify_anew, change)| {
        let mut block = good.clone();
        change(&mut block);
        if certify_anew {
            block.certificate = certify(&block.block.header, &[101, 102, 103]);
        }
        let hex = hex::encode(encode(&block));
        ChainBlock { why: why.into(), now_ms, hex, error: Some(error.into()), outcomes: serde_json::Value::Null }
    });
    refused.collect()
}

fn encodings(story: &Story) -> Vec<Vector> {
    let mut vectors = Vec::new();
    let mut put = |why: &str, of: &str, bytes: Vec<u8>, valid: bool| {
        let value = decoded(of, &bytes).unwrap();
        assert_eq!(value.is_some(), valid, "{of}: {why}");
        vectors.push(vector(why, Case::Encoding { of: of.into(), hex: hex::encode(bytes), value }));
    };
    let block = &story.certified.block;
    let header = encode(&block.header);
    let operation = encode(&Operation::Deposit(deposit(1, &key(5), None)));
    let full = Deposit {
        asset: AssetId(u32::MAX),
        keep: u64::MAX,
        epoch: Some(u64::MAX),
        invoice: Some(vec![0xff; 32]),
        ..deposit(u64::MAX, &key(5), Some(&key(6)))
    };
    put("a genesis document", "Genesis", encode(&story.genesis), true);
    put("the demo parameters", "Parameters", encode(&Parameters::DEMO), true);
    put("the main parameters", "Parameters", encode(&Parameters::MAIN), true);
    put("four validators", "ValidatorSet", encode(&story.genesis.validators), true);
    put("a header", "Header", header.clone(), true);
    put("a header with a byte too many", "Header", [header.as_slice(), &[0]].concat(), false);
    put("a header with a byte too few", "Header", header[..header.len() - 1].to_vec(), false);
    put("no bytes", "Header", vec![], false);
    put("a block", "Block", encode(block), true);
    put("a certificate with one signature missing", "Certificate", encode(&story.certified.certificate), true);
    put("a certified block", "CertifiedBlock", encode(&story.certified), true);
    for (why, block_hash) in [("for nil", None), ("for a block", Some(Hash([7; 32])))] {
        put(&format!("a prevote {why}"), "Prevote", encode(&Prevote { height: 9, round: 1, block_hash }), true);
        put(&format!("a precommit {why}"), "Precommit", encode(&Precommit { height: 9, round: 1, block_hash }), true);
    }
    put("a batch with groups", "Batch", encode(&story.batch.body), true);
    put("a signed batch", "SignedBatch", encode(&story.batch), true);
    put("a deposit (operation 0) with nothing optional", "Operation", operation.clone(), true);
    put("a deposit with everything optional", "Operation", encode(&Operation::Deposit(full)), true);
    put(
        "a withdrawal (operation 1)",
        "Operation",
        encode(&Operation::Withdraw(Withdraw { proof: story.consent.clone() })),
        true,
    );
    put("a consent", "WithdrawalConsent", encode(&story.consent.body), true);
    put_court(&mut put, story);
    put("operation 10 does not exist", "Operation", [&[10], &operation[1..]].concat(), false);
    put("operation 255 does not exist", "Operation", [&[255], &operation[1..]].concat(), false);
    let mut bad_option = operation.clone();
    bad_option[1 + 4 + 8 + 32] = 2;
    put("an option is 0 or 1, never 2", "Operation", bad_option, false);
    let mut endless = operation.clone();
    *endless.last_mut().unwrap() = 1;
    put("a length beyond the bytes", "Operation", [endless.as_slice(), &[0xff; 4]].concat(), false);
    put("right is 0", "Side", encode(&Side::Right), true);
    put("left is 1", "Side", encode(&Side::Left), true);
    put("there is no third side", "Side", vec![2], false);
    put("two parties", "Parties", encode(&story.consent.body.parties), true);
    let state = story.follower.state();
    let mut kinds = std::collections::BTreeSet::new();
    for (key, value) in state.encoded() {
        if kinds.insert(key[0]) {
            put(&format!("a key of kind {}", key[0]), "Key", key, true);
            put(&format!("a value of kind {}", value[0]), "Value", value, true);
        }
    }
    for (why, of, bytes, valid) in registers::encodings(&story.genesis.validators) {
        put(&why, of, bytes, valid);
    }
    put("key 11 does not exist", "Key", vec![11], false);
    put("value 10 does not exist", "Value", vec![10], false);
    let (_, proof) = state.prove_at(state.height(), &Key::Clock).unwrap();
    put("a proof of inclusion", "StateProof", encode(&proof), true);
    let other = ProofEnd::Other { place: Hash([1; 32]), value_hash: Hash([2; 32]) };
    put(
        "a proof that ends at another leaf",
        "StateProof",
        encode(&StateProof { end: other, siblings: vec![None] }),
        true,
    );
    put("a proof that ends at nothing", "StateProof", vec![1, 0, 0, 0, 0], true);
    put("a proof has three ends", "StateProof", vec![3, 0, 0, 0, 0], false);
    vectors
}

/// Court: operations 2 to 4, keys 16 to 21, values 16 to 20.
fn put_court(put: &mut impl FnMut(&str, &str, Vec<u8>, bool), story: &Story) {
    let parties = story.consent.body.parties;
    let chain_id = story.genesis.chain_id();
    let secret = Secret([7; 32]);
    let hash = lock_hash(&secret);
    let lock = Lock { index: 3, amount: 400, hash, expiry: 90 };
    let sub = Sub { asset: FRD, offdelta: -1_000, left_locks: vec![lock], right_locks: vec![] };
    let state = ChannelState {
        chain_id,
        parties,
        epoch: 2,
        frame: 5,
        proposer: Side::Left,
        subs: vec![sub.clone()],
        shared_hash: Hash([9; 32]),
    };
    let order = state.order();
    let proof = Signed::new(state.clone(), &chain_id, &key(5));
    let signatures = Sides { left: Some(proof.signature), right: None };
    let bare = encode(&Operation::Dispute(Dispute { partner: key(5).public(), proof: None }));
    let full = encode(&Operation::Dispute(Dispute { partner: key(5).public(), proof: Some(proof) }));
    let answer = encode(&Operation::Answer(Answer { state, signatures }));
    let reveal = encode(&Operation::Reveal(Reveal { secrets: vec![secret] }));
    put("a dispute (operation 2) without a proof", "Operation", bare.clone(), true);
    put("a dispute with a proof", "Operation", full.clone(), true);
    put("a dispute whose proof lacks its last byte", "Operation", full[..full.len() - 1].to_vec(), false);
    put("a proof is there (1) or not (0), never 2", "Operation", [&bare[..bare.len() - 1], &[2]].concat(), false);
    put("an answer (operation 3) with one signature", "Operation", answer.clone(), true);
    put("an answer without its last option", "Operation", answer[..answer.len() - 1].to_vec(), false);
    put("a reveal (operation 4)", "Operation", reveal.clone(), true);
    put("a secret of 31 bytes", "Operation", reveal[..reveal.len() - 1].to_vec(), false);
    let keys = [
        ("a dispute to be looked at (key 16)", Key::DisputeByEnd(131, parties)),
        ("a channel in court (key 17)", Key::Dispute(parties)),
        ("a debt (key 18)", Key::Debt(key(1).public(), FRD, 4)),
        ("numbers of debts (key 19)", Key::DebtQueue(key(1).public(), FRD)),
        ("a revealed hash (key 20)", Key::Hashlock(hash)),
        ("a revealed hash to be deleted (key 21)", Key::HashlockByDeletion(2_007, hash)),
    ];
    for (why, key) in keys {
        let bytes = encode(&key);
        put(why, "Key", bytes.clone(), true);
        put(&format!("{why}, a byte short"), "Key", bytes[..bytes.len() - 1].to_vec(), false);
    }
    let case = |state| DisputeValue { starter: Side::Left, start: 10, delay: 120, horizon: 360, state, end: 131 };
    let court_state = CourtState { order, subs: vec![sub] };
    let values = [
        ("nothing but its key (value 16)", Value::Due),
        ("a dispute by the default state (value 17)", Value::Dispute(Box::new(case(None)))),
        ("a dispute by a state", Value::Dispute(Box::new(case(Some(court_state))))),
        ("a debt (value 18)", Value::Debt(Debt { creditor: key(6).public(), amount: 77 })),
        ("numbers of debts (value 19)", Value::DebtQueue(DebtQueue { first: 4, next: 9 })),
        ("a revealed hash (value 20)", Value::Hashlock(Hashlock { secret, revealed_at: 7, deleted_at: 2_007 })),
    ];
    for (why, value) in values {
        let bytes = encode(&value);
        put(why, "Value", bytes.clone(), true);
        put(&format!("{why}, a byte too many"), "Value", [bytes.as_slice(), &[0]].concat(), false);
    }
}

fn hashes(story: &Story) -> Vec<Vector> {
    let mut vectors = Vec::new();
    let mut put = |why: &str, of: &str, bytes: Vec<u8>, expected: Hash| {
        vectors.push(vector(why, Case::Hash { of: of.into(), hex: hex::encode(bytes), expected }));
    };
    let (genesis, header) = (&story.genesis, &story.certified.block.header);
    put("the chain id is the hash of the genesis document", "chain_id", encode(genesis), genesis.chain_id());
    put("a block hash", "header", encode(header), header.hash());
    put("a validator set", "validators", encode(&genesis.validators), genesis.validators.hash());
    put("the demo parameters", "parameters", encode(&Parameters::DEMO), Parameters::DEMO.hash());
    put("the main parameters", "parameters", encode(&Parameters::MAIN), Parameters::MAIN.hash());
    put("a signed batch", "batch", encode(&story.batch), batch::hash(&story.batch));
    let secret = Secret([0; 32]);
    put("a lock hash is plain SHA-256", "lock_hash", encode(&secret), lock_hash(&secret));
    for count in 0..=5_u64 {
        let batches: Vec<_> = (0..count)
            .map(|nonce| Signed { body: Batch { nonce, ..story.batch.body.clone() }, signature: Signature([7; 64]) })
            .collect();
        put(&format!("the root over {count} batches"), "batches_root", encode(&batches), batches_root(&batches));
    }
    let fees = [
        ("a whole thousand", 10, 1_000, Some(10)),
        ("fees round up", 10, 1_001, Some(11)),
        ("the smallest batch", 10, 1, Some(1)),
        ("no bytes cost nothing", 10, 0, Some(0)),
        ("an overflow is no fee", u64::MAX, 2, None),
    ];
    vectors.extend(fees.map(|(why, rate, bytes, fee)| vector(why, Case::Fee { rate, bytes, fee })));
    vectors
}

fn signatures(story: &Story) -> Vec<Vector> {
    let chain_id = story.genesis.chain_id();
    let mut vectors = Vec::new();
    let mut put =
        |why: &str, of: &str, bytes: Vec<u8>, chain_id: Hash, signer: PublicKey, signature: Signature, valid| {
            let hex = hex::encode(bytes);
            vectors.push(vector(why, Case::Signature { of: of.into(), hex, chain_id, signer, signature, valid }));
        };
    let (batch, consent) = (&story.batch, &story.consent);
    let (bank, user) = (key(1).public(), key(5).public());
    put("a batch by its signer", "Batch", encode(&batch.body), chain_id, bank, batch.signature, true);
    put("a batch by somebody else", "Batch", encode(&batch.body), chain_id, user, batch.signature, false);
    put("a batch on another chain", "Batch", encode(&batch.body), Hash([9; 32]), bank, batch.signature, false);
    let changed = Batch { nonce: batch.body.nonce + 1, ..batch.body.clone() };
    put("another batch", "Batch", encode(&changed), chain_id, bank, batch.signature, false);
    put(
        "a consent by the other side",
        "WithdrawalConsent",
        encode(&consent.body),
        chain_id,
        user,
        consent.signature,
        true,
    );
    put(
        "a consent by the withdrawer",
        "WithdrawalConsent",
        encode(&consent.body),
        chain_id,
        bank,
        consent.signature,
        false,
    );
    let vote = Precommit { height: 9, round: 1, block_hash: Some(Hash([7; 32])) };
    let signature = vote.sign(&chain_id, &key(101));
    let signer = key(101).public();
    put("a precommit", "Precommit", encode(&vote), chain_id, signer, signature, true);
    put("a precommit is no prevote of the same bytes", "Prevote", encode(&vote), chain_id, signer, signature, false);
    let nil = Precommit { block_hash: None, ..vote };
    put("a precommit for nil", "Precommit", encode(&nil), chain_id, signer, nil.sign(&chain_id, &key(101)), true);
    let mut high = signature;
    add_group_order(&mut high.0);
    put(
        "a signature whose scalar is not reduced",
        "Precommit",
        encode(&Precommit { height: 9, round: 1, block_hash: Some(Hash([7; 32])) }),
        chain_id,
        signer,
        high,
        false,
    );
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut forged = [0; 64];
    forged[0] = 1;
    put(
        "a key of small order signs nothing",
        "Batch",
        encode(&batch.body),
        chain_id,
        PublicKey(neutral),
        Signature(forged),
        false,
    );
    put(
        "bytes that are no point of the curve sign nothing",
        "Batch",
        encode(&batch.body),
        chain_id,
        PublicKey([2; 32]),
        batch.signature,
        false,
    );
    vectors
}

/// Adds the order of the group to a signature's scalar: the same signature to whoever does not check.
fn add_group_order(signature: &mut [u8; 64]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0_u16;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
}

fn proofs(story: &Story) -> Vec<Vector> {
    let state = story.follower.state();
    let root = state.root();
    let mut vectors = Vec::new();
    let mut put = |why: &str, root: Hash, key: &Key, value: Option<&Value>, proof: &StateProof, valid| {
        let value = value.map(|value| hex::encode(encode(value)));
        let (key, proof) = (hex::encode(encode(key)), hex::encode(encode(proof)));
        vectors.push(vector(why, Case::Proof { root, key, value, proof, valid }));
    };
    let account = Key::Account(key(5).public());
    let (value, good) = state.prove_at(state.height(), &account).unwrap();
    put("a value under the root", root, &account, value, &good, true);
    put("its absence", root, &account, None, &good, false);
    put("another value", root, &account, Some(&Value::Clock(1)), &good, false);
    put("another key", root, &Key::Account(key(6).public()), value, &good, false);
    put("another root", Hash([1; 32]), &account, value, &good, false);
    let mut short = good.clone();
    short.siblings.pop();
    put("a step left out", root, &account, value, &short, false);
    let mut ends = std::collections::BTreeSet::new();
    for number in 1_000.. {
        let absent = Key::AccountKey(number);
        let (value, proof) = state.prove_at(state.height(), &absent).unwrap();
        let why = match proof.end {
            ProofEnd::Nothing => "absent: the way ends at nothing",
            _ => "absent: the way ends at another leaf",
        };
        if ends.insert(why) {
            put(why, root, &absent, value, &proof, true);
            put(
                "the same way does not show a value",
                root,
                &absent,
                Some(&Value::AccountKey(key(5).public())),
                &proof,
                false,
            );
        }
        if ends.len() == 2 {
            break;
        }
    }
    let before = state.height() - 1;
    let header = story.follower.header_at(before).unwrap();
    let (value, proof) = state.prove_at(before, &account).unwrap();
    put("an older root within the window", header.state_root, &account, value, &proof, true);
    vectors
}
