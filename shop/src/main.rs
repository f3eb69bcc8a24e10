//! A small shop: four things to buy, orders, and a receiver of webhooks. It is paid through a merchant, whose interface
//! ([`merchant`]) and `<fair-pay>` are all that it knows of Fair (docs/merchants.md).
//!
//! ```text
//! GET  /                          what there is to buy
//! POST /orders                    buys it; the address of an order is known to the customer alone
//! GET  /orders/{id}               its page, which follows it
//! GET  /orders/{id}/invoice       invoice-src of <fair-pay>; a new invoice when the old one can no longer be paid
//! GET  /orders/{id}/status        status-src; `known` waits for something else, where there is a place to wait
//! GET  /orders/{id}/pay           the same without a script: on to the wallet
//! GET  /orders/{id}/receipt       once it is paid
//! POST /orders/{id}/cancel
//! POST /fair/webhook              from the merchant, signed
//! GET  /.well-known/fair-pay.json whom the shop is paid on
//! ```
//!
//! **Invariant**: only an event of the merchant makes an order paid. Its effect and its id are one transaction, so that
//! it counts once, however often and by whichever way it comes. So is what it owes: money that came for an order and does
//! not belong to it is given back once, whenever the shop is killed.

mod desk;
mod door;
mod goods;
mod http;
mod merchant;
mod order;
mod pages;
mod problem;
mod refund;
mod serve;
mod store;

use anyhow::{Context as _, Result};
use clap::Parser;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// A small shop that is paid through a merchant.
#[derive(Parser)]
#[command(name = "shop", version, args_override_self = true)]
struct Arguments {
    /// Where its orders are kept.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where it serves.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The merchant.
    #[arg(long, value_name = "URL")]
    merchant: String,
    /// File with a key of the merchant: invoices:read, invoices:write, refunds, events:read, webhooks.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The merchant's account key.
    #[arg(long, value_name = "HEX")]
    payee: String,
    /// Where customers find a wallet who have none.
    #[arg(long, value_name = "URL")]
    wallet: String,
    /// The file fair-pay.js.
    #[arg(long, value_name = "FILE")]
    element: PathBuf,
    /// How long an invoice can be paid, in seconds.
    #[arg(long, value_name = "S", default_value_t = 900)]
    invoice_life: u64,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(Arguments::parse()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let origin = format!("http://{}", listener.local_addr()?);
    let merchant = merchant::Merchant::new(&arguments.merchant, read(&arguments.key)?.trim())?;
    let store = store::Store::open(&arguments.data)?;
    let wallet = arguments.wallet.trim_end_matches('/').to_owned();
    let shop = Arc::new(desk::Desk::new(store, merchant, arguments.invoice_life));
    let site = http::Site { desk: shop.clone(), wallet, payee: arguments.payee, element: read(&arguments.element)? };
    let introduced = tokio::spawn({
        let (shop, url) = (shop.clone(), format!("{origin}{}", http::WEBHOOK));
        async move { shop.introduce(&url).await }
    });
    let giving = tokio::spawn({
        let shop = shop.clone();
        async move { shop.give_back().await }
    });
    let cancelling = tokio::spawn({
        let shop = shop.clone();
        async move { shop.let_go().await }
    });
    println!("ready {origin}");
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = shop.clone();
    let stopping = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Whoever waits for an order is answered.
        stop.close();
    };
    serve::serve(listener, http::router(site), stopping).await;
    [introduced, giving, cancelling].iter().for_each(JoinHandle::abort);
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
