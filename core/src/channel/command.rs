//! Taking local wishes: what can never work is refused at once, the rest waits for a frame.

use super::Channel;
use super::Step;
use super::agreement::Agreement;
use super::event::{Command, Context, Refusal};
use super::record::Wish;
use super::state::{Lock, LockId};
use super::transition::Invalid;
use crate::crypto;
use crate::limits;
use crate::types::{Amount, AssetId, Side, UsableHeight};

impl Channel {
    pub(super) fn command(
        &mut self,
        command: Command,
        most_price: Option<Amount>,
        ctx: &Context<'_>,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        if command == Command::Resume {
            self.record.suspended = None;
            self.record.refusals = 0;
            step.dirty = true;
            return Ok(());
        }
        if self.record.queue.len() >= limits::MAX_CHANNEL_QUEUE {
            return Err(Refusal::QueueFull { limit: limits::MAX_CHANNEL_QUEUE });
        }
        self.check_court(&command, ctx)?;
        self.check_command(&command, ctx)?;
        if let Some(asset) = priced(&command, &self.record.base, self.side()) {
            let most = most_price.unwrap_or_else(|| self.most_price(asset));
            let price = self.price_at_head(ctx);
            if price > most {
                return Err(Refusal::InsurancePrice { most, price });
            }
            self.record.most_prices.insert(asset, most);
        }
        if let Command::Settle { lock, secret } = &command {
            // From now on it is never failed, and it goes on-chain if it cannot be settled in time.
            self.record.secrets.entry(*lock).or_insert((*secret, false));
        }
        self.record.queue.push_back(Wish { command, alive: false });
        step.dirty = true;
        Ok(())
    }

    /// What this side pays at most for an insurance.
    pub(super) fn most_price(&self, asset: AssetId) -> Amount {
        self.record.most_prices.get(&asset).copied().unwrap_or(0)
    }

    fn price_at_head(&self, ctx: &Context<'_>) -> Amount {
        let facts = ctx.chain.facts(ctx.chain.head().height);
        facts.and_then(|facts| *facts.insurance_prices.get(self.partner())).unwrap_or(0)
    }

    fn check_command(&self, command: &Command, ctx: &Context<'_>) -> Result<(), Refusal> {
        let parameters = ctx.chain.parameters();
        match command {
            Command::Pay { asset, amount, note, .. } => {
                check_length(note, limits::MAX_NOTE_BYTES)?;
                self.check_amount(*asset, *amount, 1)
            }
            Command::Lock { asset, amount, onion, .. } => {
                check_length(onion, limits::MAX_ONION_BYTES)?;
                if self.head_is_stale(ctx) {
                    return Err(Refusal::StaleHead);
                }
                self.check_amount(*asset, *amount, parameters.min_lock)
            }
            Command::Settle { lock, secret } => {
                let terms = self.open_incoming(lock)?;
                if crypto::lock_hash(secret) == terms.hash { Ok(()) } else { Err(Invalid::WrongSecret.into()) }
            }
            Command::Fail { lock, .. } => self.check_fail(lock, ctx),
            Command::Expire { .. } | Command::Resume => Err(Refusal::Internal),
            Command::SetCredit { limit, insure_above, .. } => {
                let largest = (*limit).max(insure_above.unwrap_or(0));
                if largest > limits::MAX_SUPPLY { Err(Invalid::TooLarge.into()) } else { Ok(()) }
            }
            Command::RequestInsurance { asset } => {
                let uninsured = self.record.base.line(*asset).uninsured(self.record.side);
                let least = parameters.min_insurance;
                if uninsured < least { Err(Invalid::NothingToInsure { least, uninsured }.into()) } else { Ok(()) }
            }
            Command::RequestWithdrawal { asset, amount, lifetime_blocks } => {
                if *lifetime_blocks > parameters.max_consent_blocks {
                    let latest = UsableHeight::from(parameters.max_consent_blocks);
                    return Err(Invalid::ExpiryTooFar { latest, got: UsableHeight::from(*lifetime_blocks) }.into());
                }
                let available = self.record.base.line(*asset).insured(self.record.side);
                check_covered(*amount, available)
            }
            Command::GrantWithdrawal { asset } => self.open_hold(*asset).map(|_| ()),
            Command::RefuseWithdrawal { asset } => {
                let (nonce, expires_at) = self.open_hold(*asset)?;
                if self.record.consented.contains(&(*asset, nonce, expires_at)) {
                    Err(Refusal::ConsentSent)
                } else {
                    Ok(())
                }
            }
        }
    }

    fn check_amount(&self, asset: AssetId, amount: Amount, least: Amount) -> Result<(), Refusal> {
        if amount < least {
            return Err(Invalid::TooSmall { least, got: amount }.into());
        }
        check_covered(amount, self.spendable(asset))
    }

    /// A lock whose secret was sent is never failed; nor is one that may have been forwarded before data
    /// was lost, until its own expiry.
    fn check_fail(&self, id: &LockId, ctx: &Context<'_>) -> Result<(), Refusal> {
        if self.record.secrets.contains_key(id) {
            return Err(Refusal::SecretSent);
        }
        let terms = self.open_incoming(id)?;
        if self.record.maybe_forwarded.contains(id) && ctx.chain.head().usable_height <= terms.expiry {
            return Err(Refusal::MaybeForwarded { expiry: terms.expiry });
        }
        Ok(())
    }

    fn open_incoming(&self, id: &LockId) -> Result<&Lock, Refusal> {
        if id.giver == self.record.side {
            return Err(Refusal::NoSuchLock);
        }
        let lock = self.record.base.state.lock(id).ok_or(Refusal::NoSuchLock)?;
        if self.is_closing(id) { Err(Refusal::AlreadyClosing) } else { Ok(lock) }
    }

    fn open_hold(&self, asset: AssetId) -> Result<(u64, UsableHeight), Refusal> {
        match self.record.base.shared.hold(asset, self.partner()) {
            Some(hold) => Ok((hold.nonce, hold.expires_at)),
            None => Err(Invalid::NoHold.into()),
        }
    }
}

/// The asset in which a wish would fix the partner's price of an insurance, if it does that.
pub(super) fn priced(command: &Command, agreement: &Agreement, side: Side) -> Option<AssetId> {
    let threshold = |asset| agreement.shared.terms(asset, side).and_then(|terms| terms.insure_above);
    match command {
        Command::RequestInsurance { asset } => Some(*asset),
        Command::SetCredit { asset, insure_above, .. }
            if insure_above.is_some() && threshold(*asset) != *insure_above =>
        {
            Some(*asset)
        }
        _ => None,
    }
}

fn check_covered(asked: Amount, available: Amount) -> Result<(), Refusal> {
    if asked > available || asked == 0 { Err(Invalid::Unavailable { available, asked }.into()) } else { Ok(()) }
}

fn check_length(bytes: &[u8], limit: usize) -> Result<(), Refusal> {
    if bytes.len() > limit { Err(Invalid::TooLong { limit, got: bytes.len() }.into()) } else { Ok(()) }
}
