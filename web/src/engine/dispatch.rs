//! One call at a time: from method to answer.

use super::Core;
use super::method::{BlockId, Method};
use super::pay::Order;
use crate::chain::block::OPENING;
use crate::error::Error;
use crate::events::{json, to_js};
use crate::explorer::parameters;
use crate::limits;
use crate::record;
use crate::view::{Account, Block, BlockSummary, Mention, RawState};
use fair_core::types::{Hash, Height, Parties};
use js_sys::{Array, Object};
use std::rc::Rc;
use wasm_bindgen::JsValue;

impl Core {
    /// Answers a call.
    ///
    /// # Errors
    /// The method's own, as `www/js/api.d.ts` names them.
    pub async fn call(self: &Rc<Self>, method: Method) -> Result<JsValue, Error> {
        match method {
            Method::Status => {
                self.read_persisted().await;
                Ok(to_js(&self.status()))
            }
            Method::Create(p) => Ok(to_js(&self.create(p.words, &p.password).await?)),
            Method::ConfirmWords(p) => {
                let answers: Vec<_> = p.answers.into_iter().map(|answer| (answer.index, answer.word)).collect();
                Ok(to_js(&self.confirm_words(&answers).await?))
            }
            Method::Restore(p) => Ok(to_js(&self.restore(&p.words, &p.password).await?)),
            Method::Unlock(p) => Ok(to_js(&self.unlock(&p.password).await?)),
            Method::Lock => Ok(to_js(&self.lock())),
            Method::Wipe => Ok(to_js(&self.wipe().await?)),
            Method::Words(p) => Ok(to_js(&self.words(&p.password)?)),
            Method::ChangePassword(p) => Ok(to_js(&self.change_password(&p.old, &p.new).await?)),
            Method::RawState => Ok(to_js(&self.raw_state().await?)),
            Method::SyncState => Ok(to_js(&self.sync_state())),
            Method::SetRelays(p) => Ok(to_js(&self.set_relays(p.urls).await?)),
            Method::Confirm(p) => Ok(to_js(&self.confirm(&p.checkpoint).await?)),
            Method::DismissFailure => Ok(to_js(&self.dismiss_failure().await?)),
            Method::Draft => Ok(to_js(&self.draft()?)),
            Method::DraftAdd(p) => Ok(to_js(&self.draft_add(p.operation).await?)),
            Method::DraftRemove(p) => Ok(to_js(&self.draft_remove(p.id).await?)),
            Method::SignAndSend(p) => Ok(to_js(&self.sign_and_send(&p.key).await?)),
            Method::Batches(p) => Ok(to_js(&self.sent_batches(p.limit).await?)),
            Method::Faucet(p) => Ok(to_js(&self.faucet(p.asset).await?)),
            asked @ (Method::Head
            | Method::Block(_)
            | Method::Blocks(_)
            | Method::Account(_)
            | Method::Accounts(_)
            | Method::ChannelOnChain(_)
            | Method::Validators
            | Method::Parameters
            | Method::Banks
            | Method::Assets
            | Method::Court(_)
            | Method::Governance
            | Method::Snapshots) => self.call_explorer(asked).await,
            asked => self.call_channels(asked).await,
        }
    }

    /// Banks, invoices and payments.
    async fn call_channels(self: &Rc<Self>, method: Method) -> Result<JsValue, Error> {
        match method {
            Method::Restoration => Ok(to_js(&self.restoration()?)),
            Method::Balances => Ok(to_js(&self.balances()?)),
            Method::Channels => Ok(to_js(&self.channels()?)),
            Method::AddBank(p) => {
                let credit = p.credit.into_iter().map(Into::into).collect();
                Ok(to_js(&self.add_bank(&p.bank, credit).await?))
            }
            Method::SetCredit(p) => Ok(to_js(&self.set_credit(&p.bank, (&p).into()).await?)),
            Method::Dispute(p) => Ok(to_js(&self.dispute(&p.bank).await?)),
            Method::Resume(p) => Ok(to_js(&self.resume(&p.bank).await?)),
            Method::RequestInsurance(p) => Ok(to_js(&self.request_insurance(&p.bank, p.asset, p.most_price).await?)),
            Method::RequestWithdrawal(p) => Ok(to_js(&self.request_withdrawal(&p.bank, p.asset, p.amount).await?)),
            Method::Splice(p) => Ok(to_js(&self.splice(&p).await?)),
            Method::Address => Ok(to_js(&self.address()?)),
            Method::CreateInvoice(p) => {
                let made = self.create_invoice(&p.key, p.asset, p.amount, p.description, p.expires_in_seconds).await?;
                Ok(to_js(&made))
            }
            Method::CancelInvoice(p) => Ok(to_js(&self.cancel_invoice(&p.key).await?)),
            Method::Invoices => Ok(to_js(&self.invoices()?)),
            Method::Decode(p) => Ok(to_js(&self.decode(&p.text)?)),
            Method::Quote(p) => {
                let order = Order { text: &p.text, amount: p.amount, asset: p.asset };
                Ok(to_js(&self.quote(&order)?))
            }
            Method::Pay(p) => {
                let order = Order { text: &p.text, amount: p.amount, asset: p.asset };
                Ok(to_js(&self.pay(&p.key, &order, p.max_fee, p.description).await?))
            }
            Method::Activity(p) => Ok(to_js(&self.activity(p.before.as_deref(), p.limit)?)),
            Method::Payment(p) => Ok(to_js(&self.payment_details(&p.id)?)),
            Method::Towers => Ok(to_js(&self.towers()?)),
            Method::AddTower(p) => Ok(to_js(&self.add_tower(&p.address).await?)),
            Method::RemoveTower(p) => Ok(to_js(&self.remove_tower(&p.tower).await?)),
            _ => Err(Error::new("engine.unknown_method", "This call is not about channels.")),
        }
    }

    /// Reads of the verified chain.
    async fn call_explorer(&self, method: Method) -> Result<JsValue, Error> {
        match method {
            Method::Head => Ok(to_js(&self.head().await?)),
            Method::Block(id) => Ok(to_js(&self.block(id).await?)),
            Method::Blocks(p) => Ok(to_js(&self.blocks(p.before, p.limit).await?)),
            Method::Account(p) => Ok(to_js(&self.account(&p.account).await?)),
            Method::Accounts(p) => {
                let limit = usize::try_from(p.limit.min(limits::MAX_ACCOUNTS_PAGE)).unwrap_or(usize::MAX);
                Ok(to_js(
                    &self.explore(|explorer| explorer.accounts(p.search.as_deref(), p.after.unwrap_or(0), limit))?,
                ))
            }
            Method::ChannelOnChain(p) => {
                let at = self.chain()?.verified_at();
                let channel = self.explore(|explorer| {
                    let (a, b) = (explorer.resolve(&p.a)?, explorer.resolve(&p.b)?);
                    let parties = Parties::new(a, b)
                        .ok_or_else(|| Error::new("input.parties", "Nobody has a channel with themselves."))?;
                    Ok::<_, Error>(explorer.channel(&parties, at))
                })??;
                Ok(to_js(&channel))
            }
            Method::Validators => Ok(to_js(&self.explore(|explorer| explorer.validators())?)),
            Method::Parameters => Ok(to_js(&self.explore(|explorer| parameters::table(explorer.state.parameters()))?)),
            Method::Banks => Ok(to_js(&self.explore(|explorer| explorer.banks())?)),
            Method::Assets => Ok(to_js(&self.explore(|explorer| explorer.assets())?)),
            Method::Court(p) => Ok(to_js(&self.explore(|explorer| {
                let account = p.account.map(|account| explorer.resolve(&account)).transpose()?;
                Ok::<_, Error>(explorer.court(account.as_ref()))
            })??)),
            Method::Governance => {
                let chain = self.chain()?;
                Ok(to_js(&self.explore(|explorer| explorer.governance(chain.genesis()))?))
            }
            Method::Snapshots => Ok(to_js(&self.snapshots().await?)),
            _ => Err(Error::new("engine.unknown_method", "This call is not a read of the chain.")),
        }
    }

    async fn head(&self) -> Result<Option<BlockSummary>, Error> {
        let Ok(chain) = self.chain() else { return Ok(None) };
        match chain.block(chain.height()).await? {
            Some(block) => self.explore(|explorer| explorer.summary(&block, chain.genesis())).map(Some),
            None => Ok(None),
        }
    }

    async fn block(&self, id: BlockId) -> Result<Block, Error> {
        let chain = self.chain()?;
        let unknown = |what: &str| {
            Error::new("chain.unknown_block", format!("There is no verified block {what}.")).with("got", what)
        };
        let (height, text) = match id {
            BlockId::Height { height } => (height, height.to_string()),
            BlockId::Hash { hash } => {
                let parsed: Hash = hash.to_ascii_lowercase().parse().map_err(|_| unknown(&hash))?;
                let stored = chain.store().get(&record::block_hash(&parsed)).await?.ok_or_else(|| unknown(&hash))?;
                (<[u8; 8]>::try_from(stored).map_or(0, Height::from_be_bytes), hash)
            }
        };
        let Some(block) = chain.block(height).await? else {
            return Err(match chain.base() {
                Some((base, _)) if height <= base => Error::new(
                    "chain.before_snapshot",
                    format!("This client began with the snapshot of block {base}; blocks up to it are not here."),
                )
                .with("first", base.saturating_add(1)),
                _ => unknown(&text),
            });
        };
        self.explore(|explorer| explorer.block(&block, chain.genesis()))
    }

    async fn blocks(&self, before: Option<Height>, limit: u64) -> Result<Vec<BlockSummary>, Error> {
        let chain = self.chain()?;
        let end = before.unwrap_or(Height::MAX).min(chain.height().saturating_add(1));
        let start = end.saturating_sub(limit.min(limits::MAX_BLOCKS_PAGE));
        let stored = chain.store().range(&record::block(start), &record::block(end), u32::MAX).await?;
        let blocks = stored.iter().rev().map(|(_, bytes)| crate::chain::block::decode(bytes));
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        self.explore(|explorer| blocks.iter().map(|block| explorer.summary(block, chain.genesis())).collect())
    }

    async fn account(&self, text: &str) -> Result<Account, Error> {
        let chain = self.chain()?;
        let at = chain.verified_at();
        let key = self.explore(|explorer| explorer.resolve(text))??;
        let mut account = self.explore(|explorer| explorer.account(&key, at))??;
        let mentions = chain.store().all(&record::mentions(&key)).await?;
        for (height, index) in
            mentions.iter().rev().filter_map(|(key, _)| record::mention_place(key)).take(limits::RECENT_BATCHES)
        {
            let Some(block) = chain.block(height).await? else { continue };
            let time = block.certified.block.header.time_ms.into();
            let opening = block.openings.get((index ^ OPENING) as usize);
            let (batch, opening) = self.explore(|explorer| {
                let batch = explorer.batches(&block).nth(index as usize);
                (batch, opening.map(|opening| explorer.opening(opening)))
            })?;
            account.recent.push(Mention { height: height.into(), time, batch, opening });
        }
        Ok(account)
    }

    /// Everything stored but the words, as text.
    async fn raw_state(&self) -> Result<RawState, Error> {
        let batches = self.sent_batches(limits::MAX_SENT_LISTED).await.unwrap_or_default();
        let parts = [
            ("status", to_js(&self.status())),
            ("sync", to_js(&self.sync_state())),
            ("draft", to_js(&self.draft().ok())),
            ("batches", to_js(&batches)),
            ("channels", to_js(&self.channels().unwrap_or_default())),
            ("invoices", to_js(&self.invoices().unwrap_or_default())),
            ("payments", to_js(&self.activity(None, limits::MAX_ACTIVITY_PAGE).ok())),
        ];
        let state: Array = parts.iter().map(|(name, part)| Array::of2(&(*name).into(), part)).collect();
        let state = Object::from_entries(&state).unwrap_or_default();
        Ok(RawState { json: json(&state, 2) })
    }
}
