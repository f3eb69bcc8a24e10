//! The commands of the guide for merchants (`docs/merchants.md`), taken out of its text and run one after another as a
//! newcomer would, in an empty folder, with each of its two servers. `cargo xtask test` runs it by its name where
//! Node.js and Python are installed, with the bundled pages; plain `cargo test` leaves it out.
//!
//! What is changed: the three ports, so that tests can run beside each other; the network is there already; and where
//! the guide sends a person to the browser, the counterpart pays.

use anyhow::{Context as _, Result, bail, ensure};
use fair_tests::network::{COUNTERPART, Members, Network, Plan};
use fair_tests::ports::PortBlock;
use fair_tests::process::{Process, Spec};
use fair_tests::wait;
use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

const GUIDE: &str = include_str!("../../../docs/merchants.md");

/// All of it, with two packages from registries.
const PATIENCE: Duration = Duration::from_secs(300);

/// Stands in the output before each block of commands, and at the end.
const BEFORE: &str = "=== block";
const END: &str = "=== end";

/// First words of blocks that are not run as they stand.
const NETWORK: &str = "cargo xtask demo";
const PLAIN: &str = "mkdir -p plain";
const NODE: &str = "npm install";
const PYTHON: &str = "python3 -m venv";
const ORDER: &str = "ORDER=";

/// What the guide lets a person do in the browser.
const PAY_PLAIN: &str = "
until curl -sf http://127.0.0.1:3000/ > page.html; do sleep 1; done
grep '<fair-pay invoice-src=\"/invoice.json\"' page.html
curl -sf http://127.0.0.1:3000/.well-known/fair-pay.json | jq -e '.payees[0]'
fair pay --home \"$NET/counterpart\" --to \"$(curl -sf http://127.0.0.1:3000/invoice.json | jq -r .invoice)\"
kill $!
wait $! || true
";

/// Before the server is asked for something.
const SERVED: &str = "\nuntil curl -sf http://127.0.0.1:3000/ > page.html; do sleep 1; done\n";

/// After the server has done its part: the other one takes its place.
const STOP: &str = "\nkill $SERVES\nwait $SERVES || true\n";

/// The blocks of commands of a text.
fn blocks(text: &str) -> Vec<&str> {
    text.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// One script of all that the guide says.
fn script(relay: &str, ports: &PortBlock) -> Result<String> {
    let found = blocks(GUIDE);
    let only = |first: &str| {
        let mut those = found.iter().filter(|block| block.starts_with(first));
        let one = those.next().with_context(|| format!("the guide has no block `{first}`"))?;
        ensure!(those.next().is_none(), "the guide has two blocks `{first}`");
        Ok(*one)
    };
    let order = only(ORDER)?;
    let mut script = String::from("set -eu -o pipefail\ntrap 'kill $(jobs -p) 2> /dev/null' EXIT\n");
    let mut add = |name: &str, block: &str, after: &str| writeln!(script, "echo '{BEFORE} {name}'\n{block}{after}");
    only(NETWORK)?;
    for (number, block) in found.iter().enumerate() {
        let name = format!("{number}: {}", block.lines().next().unwrap_or_default().replace('\'', ""));
        match *block {
            block if block.starts_with(NETWORK) || block.starts_with(ORDER) => continue,
            block if block.starts_with(PLAIN) => add(&name, block, &format!(" &{PAY_PLAIN}"))?,
            block if block.starts_with(NODE) || block.starts_with(PYTHON) => {
                add(&name, block, &format!("\nSERVES=$!{SERVED}"))?;
                add(&format!("{number}: order"), order, STOP)?;
            }
            block => add(&name, block, "")?,
        }
    }
    writeln!(script, "echo '{END}'")?;
    let (merchant, shop) = (ports.first(), ports.first() + 1);
    let script = script
        .replace("http://127.0.0.1:8080", relay)
        .replace("127.0.0.1:7400", &format!("127.0.0.1:{merchant}"))
        .replace("127.0.0.1:3000", &format!("127.0.0.1:{shop}"))
        .replace("http.server 3000", &format!("http.server {shop}"));
    Ok(format!("export PORT={shop}\n{script}"))
}

/// A folder that looks like that of the sources after the demo was started in it.
fn sources(folder: &Path, network: &Network) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a workspace")?;
    let programs = Plan::new()?.programs;
    std::fs::create_dir_all(folder.join("fair/target"))?;
    symlink(programs, folder.join("fair/target/debug"))?;
    symlink(root.join("docs"), folder.join("fair/docs"))?;
    Ok(symlink(network.folder(), folder.join("fair-net"))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_for_merchants_leads_to_paid_orders() -> Result<()> {
    let network = Network::start(&Plan { members: Members::AllAndCounterpart, ..Plan::with_pages()? }).await?;
    ensure!(network.url_of(COUNTERPART).is_ok(), "somebody pays");
    let folder = tempfile::Builder::new().prefix("fair-guide-").tempdir()?;
    sources(folder.path(), &network)?;
    let file = folder.path().join("guide.sh");
    let ports = PortBlock::reserve()?;
    std::fs::write(&file, script(network.url()?, &ports)?)?;
    let log_file = folder.path().join("guide.log");
    let inside = format!("cd '{}' && exec bash '{}'", folder.path().join("fair").display(), file.display());
    let spec = Spec {
        name: "the guide".into(),
        program: "/bin/bash".into(),
        arguments: vec!["-c".into(), inside.into()],
        environment: Vec::new(),
        log_file: log_file.clone(),
    };
    let begun = Instant::now();
    let mut guide = Process::start(spec)?;
    let (mut seen, mut ended) = (0, false);
    let run = wait::until("the end of the guide", PATIENCE, async || {
        let lines = guide.log();
        let marks: Vec<&String> = lines.iter().filter(|line| line.starts_with("===")).collect();
        for mark in marks.get(seen..).unwrap_or_default() {
            println!("{:6.1} s {mark}", begun.elapsed().as_secs_f64());
        }
        seen = marks.len();
        if lines.iter().any(|line| line == END) {
            return Ok(Some(()));
        }
        // One more look, since what it said last may come after its end.
        if std::mem::replace(&mut ended, guide.ended()?.is_some()) {
            bail!("a command of the guide failed");
        }
        Ok(None)
    });
    run.await.with_context(|| format!("the guide said last:\n{}", guide.log_end()))?;
    let log = std::fs::read_to_string(&log_file)?;
    let said = |part: &str| {
        let from = log.split(BEFORE).find(|block| block.contains(part));
        from.with_context(|| format!("nothing was said at `{part}`"))
    };
    ensure!(
        said("until fair status --home \"$NET/counterpart\"")?.contains("\"state\": \"paid\""),
        "the first invoice"
    );
    ensure!(said("id invoice-2.json)\" -H \"$SERVER\"")?.contains("\"state\": \"paid\""), "the page without a server");
    let orders: Vec<&str> =
        log.split(BEFORE).filter(|block| block.lines().next().is_some_and(|line| line.ends_with(": order"))).collect();
    ensure!(orders.len() == 2, "one order with each server");
    for order in orders {
        ensure!(order.contains("invoice.pending") && order.contains("invoice.paid"), "no webhooks: {order}");
    }
    guide.kill().await?;
    network.shut_down().await
}
