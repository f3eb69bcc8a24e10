//! Who pays, and is away until court has decided: a process, or a person with a browser.

use anyhow::{Context, Result, ensure};
use fair_core::crypto::Secret;
use fair_core::payment::proof::ProofOfPayment;
use fair_core::types::{PublicKey, Side};
use fair_core::wallet::PaymentState;
use fair_tests::browser::person::{self, BLOCKS};
use fair_tests::browser::{Browser, Closed, Place};
use fair_tests::wait;
use serde_json::json;
use tokio::task::JoinHandle;

use super::{AMOUNT, FUNDS, Fall, state_of, wallet_on_disk};
use crate::cast::{Actor, World, frd};
use crate::chain::PATIENCE;
use crate::person::Person;

#[expect(clippy::large_enum_variant, reason = "there are six")]
pub(super) enum Payer {
    Process { actor: Actor, order: Option<JoinHandle<()>> },
    Page { person: Person, browser: Option<Browser>, closed: Option<Closed> },
}

impl Payer {
    /// A process with money in its channel.
    pub(super) async fn process(world: &mut World, name: &str, side: Side) -> Result<Self> {
        let actor = world.wallet(name, side).await?;
        world.give(actor.key, FUNDS + frd(100)).await?;
        world.deposit(&actor, "2000").await?;
        world.owns(&actor, i64::try_from(FUNDS)?).await?;
        Ok(Self::Process { actor, order: None })
    }

    /// A person with money in the channel.
    pub(super) async fn page(world: &mut World, side: Side) -> Result<Self> {
        let (person, browser) = Person::arrives(world, side, FUNDS + frd(100)).await?;
        person.deposits(&browser, world, "2000").await?;
        Ok(Self::Page { person, browser: Some(browser), closed: None })
    }

    pub(super) fn key(&self) -> PublicKey {
        match self {
            Self::Process { actor, .. } => actor.key,
            Self::Page { person, .. } => person.key,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Process { actor, .. } => &actor.name,
            Self::Page { person, .. } => person.name,
        }
    }

    /// Waits until it has found the bank again.
    pub(super) async fn at_rest(&self, world: &World) -> Result<()> {
        match self {
            Self::Process { actor, .. } => world.at_rest(actor).await,
            Self::Page { browser, .. } => {
                let browser = browser.as_ref().context("an open browser")?;
                world.to_bank(browser).await?;
                browser.see_within("connected", BLOCKS).await
            }
        }
    }

    /// Begins to pay an invoice.
    pub(super) async fn pays(&mut self, world: &World, invoice: &str) -> Result<()> {
        match self {
            Self::Process { actor, order } => *order = Some(world.begin(actor, json!({ "invoice": invoice }))?),
            Self::Page { browser, .. } => {
                let browser = browser.as_ref().context("an open browser")?;
                browser.run(&format!("location.hash = '#/pay/{invoice}'")).await?;
                browser.click(&format!("Pay {} FRD", person::shown(AMOUNT))).await?;
            }
        }
        Ok(())
    }

    /// Whether it says that the payment came to nothing.
    pub(super) async fn has_failed(&self, world: &World, payment: &str) -> Result<bool> {
        match self {
            Self::Process { actor, order } => {
                let state = state_of(world, actor, &format!("/v1/pay-me/{payment}")).await.ok();
                let is_over = order.as_ref().is_none_or(JoinHandle::is_finished);
                Ok(state.as_deref().map_or(is_over, |state| state == "failed"))
            }
            Self::Page { browser, .. } => {
                let shown = browser.as_ref().context("an open browser")?.text().await?;
                Ok(shown.contains("Nothing was paid; the money is back."))
            }
        }
    }

    /// Is gone, as it is.
    pub(super) async fn goes(&mut self, world: &mut World) -> Result<()> {
        match self {
            Self::Process { actor, order } => {
                world.network.kill(&actor.name).await?;
                if let Some(order) = order.take() {
                    order.await?;
                }
            }
            Self::Page { browser, closed, .. } => {
                *closed = Some(browser.take().context("an open browser")?.shut().await?);
            }
        }
        Ok(())
    }

    pub(super) async fn comes_back(&mut self, world: &mut World) -> Result<()> {
        match self {
            Self::Process { actor, .. } => world.network.restart(&actor.name).await,
            Self::Page { browser, closed, .. } => {
                let opened = closed.take().context("a closed browser")?.open_where_it_was().await?;
                person::unlock(&opened).await?;
                *browser = Some(opened);
                Ok(())
            }
        }
    }

    /// Waits until it has so much left.
    pub(super) async fn owns(&self, world: &World, amount: i64) -> Result<()> {
        match self {
            Self::Process { actor, .. } => world.owns(actor, amount).await,
            Self::Page { .. } => anyhow::bail!("the bank died at another point than wished"),
        }
    }
}

/// What the payer says once it is back: the payment is paid. Returns the secret that proves it.
pub(super) async fn check(world: &mut World, fall: &mut Fall) -> Result<Secret> {
    fall.payer.comes_back(world).await?;
    let proof = match &fall.payer {
        Payer::Process { actor, .. } => on_disk(world, fall, actor).await?,
        Payer::Page { person, browser, .. } => {
            let browser = browser.as_ref().context("an open browser")?;
            on_pages(world, fall, person, browser).await?
        }
    };
    let secret = proof.preimage;
    proof.verify(&world.network.genesis()?.chain_id())?;
    Ok(secret)
}

async fn on_disk(world: &World, fall: &Fall, actor: &Actor) -> Result<ProofOfPayment> {
    let path = format!("/v1/pay-me/{}", fall.payment);
    wait::until("the payer to see that it has paid", PATIENCE, async || {
        // It is paid from the block on that revealed the secret; the end of the dispute comes later.
        let is_paid = state_of(world, actor, &path).await? == "paid";
        let wallet = wallet_on_disk(world, actor)?;
        let epoch = wallet.channel(&world.bank).context("a channel")?.epoch();
        Ok((is_paid && epoch == 1).then_some(()))
    })
    .await?;
    let wallet = wallet_on_disk(world, actor)?;
    let paid = wallet.payments().find(|payment| payment.hash == Some(fall.hash)).context("a payment")?;
    ensure!((paid.state, paid.amount, paid.fee) == (PaymentState::Paid, AMOUNT, 0), "{paid:?}");
    let channel = wallet.channel(&world.bank).context("a channel")?;
    super::begins_at_nothing(channel)?;
    wallet.proof(&paid.id).context("a proof of the payment")
}

/// Who got how much and why, and the proof of the payment.
async fn on_pages(world: &World, fall: &Fall, person: &Person, browser: &Browser) -> Result<ProofOfPayment> {
    let (kept, paid) = (person::shown(FUNDS - fall.paid), person::shown(fall.paid));
    let picture = |of: &str| format!("fall-{}-{of}", person.name);
    browser
        .pictures(&[
            Place {
                at: &world.bank_place(),
                says: &[
                    "Court has decided",
                    &format!("you got {kept} FRD and @main got {paid} FRD"),
                    "@main took its channel with",
                    "A bank goes to court when",
                ],
                picture: &picture("bank"),
            },
            Place {
                at: "activity", says: &["for the court", &format!("−{paid} FRD")], picture: &picture("activity")
            },
        ])
        .await?;
    browser.run("document.querySelector('main a.item').click()").await?;
    browser.see("Proof of payment").await?;
    browser.see("Final").await?;
    browser.screenshot(&picture("payment")).await?;
    Ok(ProofOfPayment::from_text(browser.text_of(".copyable code").await?.trim())?)
}
