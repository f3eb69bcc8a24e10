//! A browser that begins with a snapshot: from an honest relay, from one that breaks off, and from one that lies.

pub(crate) mod proxy;

use std::io::{Read as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fair_core::chain::certificate::Certificate;
use fair_core::chain::header::Header;
use fair_core::chain::snapshot::archive;
use fair_core::codec;
use fair_core::types::Height;
use fair_tests::browser::{Browser, Place};
use fair_tests::network::{COUNTERPART, Members, Network, Plan};
use fair_tests::wait;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use proxy::{Offer, OfferingRelay};
use serde_json::Value;

use crate::restore;
use fair_tests::browser::person::{self, BLOCKS};

/// Blocks come as fast as they may, with something in them or not, and every hundred or so there is a snapshot.
const PARAMETERS: [&str; 2] = ["max_idle_ms=100", "snapshot_after_bytes=40000"];
const BLOCK_TIME_MS: u64 = 100;
/// Below, a client takes blocks.
const LEAD: Height = 256;
/// Several hundred blocks, on a machine that may be busy.
const MANY_BLOCKS: Duration = Duration::from_secs(300);
/// A client waits half of it for a relay that sends next to nothing.
const PACE: Duration = Duration::from_secs(90);

fn plan(members: Members) -> Result<Plan> {
    let parameters = PARAMETERS.map(str::to_owned).to_vec();
    Ok(Plan { members, parameters, block_time_ms: Some(BLOCK_TIME_MS), ..Plan::with_pages()? })
}

/// The newest snapshot that a relay lists, once it is above a height.
async fn newest_above(relay: &str, height: Height) -> Result<Value> {
    wait::until(format!("a snapshot above {height}"), MANY_BLOCKS, async || {
        let list: Vec<Value> = reqwest::get(format!("{relay}/v1/snapshots")).await?.json().await?;
        Ok(list.into_iter().find(|one| one["height"].as_u64() > Some(height)))
    })
    .await
}

#[tokio::test]
async fn a_lost_wallet_comes_back_by_way_of_a_snapshot() -> Result<()> {
    let plan = plan(Members::AllAndCounterpart)?;
    let mut network = Network::start(&plan).await?;
    let counterpart = network.url_of(COUNTERPART)?.to_owned();
    let browser = Browser::open().await?;
    browser.go(network.url()?).await?;
    let words = restore::create(&browser).await?;
    restore::fill(&browser, &counterpart).await?;
    let relay = network.url()?.to_owned();
    let info: Value = reqwest::get(format!("{relay}/v1/info")).await?.json().await?;
    let head = info["head"]["height"].as_u64().context("a height")?;
    newest_above(&relay, head.max(LEAD)).await?;

    browser.go(&format!("{relay}/?wallet=second")).await?;
    restore::restore(&browser, &words).await?;
    browser.see_within("Your wallet is back", BLOCKS).await?;
    browser.run("location.hash = '#/home'").await?;
    browser.see_within("Insured 240.00", BLOCKS).await?;
    browser.run("location.hash = '#/verification'").await?;
    browser.see_within("Begins with", BLOCKS).await?;
    let base = base_shown(&browser).await?;
    ensure!(base > LEAD && base > head, "it began at {base}, the money came at {head}");

    browser.run("location.hash = '#/explorer/snapshots'").await?;
    browser.see("verified here").await?;
    browser.screenshot("explorer-snapshots").await?;
    browser.run("location.hash = '#/explorer/block/1'").await?;
    browser.see("This block is not here").await?;

    // What was verified is on disk, and goes on from there.
    browser.reload().await?;
    browser.see_within("This block is not here", BLOCKS).await?;
    browser.run("location.hash = '#/verification'").await?;
    browser.see_within("verified #", BLOCKS).await?;
    ensure!(base_shown(&browser).await? == base, "another beginning after a restart");
    a_new_node(&mut network, &plan, &browser).await?;
    browser.close().await?;
    network.shut_down().await
}

/// A new node begins with the relay's newest snapshot, and a new relay with what that node offers. Whoever opens the
/// new relay's pages sees with which snapshots, under the hashes that everybody has, and that this client verified
/// one of them whole.
async fn a_new_node(network: &mut Network, plan: &Plan, browser: &Browser) -> Result<()> {
    let first = network.url()?.to_owned();
    let line = network.add_validator_from("v5", &first).await?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let (begun, hash) = (*words.get(4).context("a height")?, *words.last().context("a hash")?);
    network.add_relay("late-relay", plan.pages.as_deref().context("pages")?, "v5").await?;
    let late = network.url_of("late-relay")?.to_owned();
    browser.go(&format!("{late}/#/explorer/snapshots")).await?;
    browser.see_within("verified here", BLOCKS).await?;
    browser.screenshot("snapshot-new-node").await?;
    let rows = browser
        .run("return [...document.querySelectorAll('tbody tr')].map((row) => [row.innerText, row.querySelector('code').title]);")
        .await?;
    let known: Vec<Value> = reqwest::get(format!("{first}/v1/snapshots")).await?.json().await?;
    let mut whole = None;
    for row in rows.as_array().context("rows")? {
        let (text, shown) = (row[0].as_str().context("a text")?, row[1].as_str().context("a hash")?);
        let height = text.trim_start_matches('#').split_whitespace().next().context("a height")?.replace(',', "");
        let number: u64 = height.parse()?;
        let theirs = known.iter().find(|one| one["height"] == number);
        ensure!(theirs.is_some_and(|one| one["hash"] == shown), "{shown} of {height}; the first relay has {known:?}");
        ensure!(height != begun || shown == hash, "the new node began with {hash}, shown is {shown}");
        if text.contains("verified here") {
            ensure!(whole.replace((height, shown.to_owned())).is_none(), "a client begins once: {rows}");
        }
    }
    let (height, hash) = whole.context("the snapshot that this client began with")?;
    let base = format!("the snapshot of block #{}", counted(height.parse()?));
    browser
        .pictures(&[Place {
            at: "verification",
            says: &["from the snapshot on", &base, &hash, &late, "online"],
            picture: "snapshot-new-node-verified",
        }])
        .await
}

/// As the pages write a height.
pub(crate) fn counted(height: Height) -> String {
    person::shown(height * 100).trim_end_matches(".00").to_owned()
}

/// Height of the snapshot that the page about verification names.
async fn base_shown(browser: &Browser) -> Result<Height> {
    browser.see_within("the snapshot of block #", BLOCKS).await?;
    let text = browser.text().await?;
    let (_, rest) = text.split_once("the snapshot of block #").context("a snapshot")?;
    let digits: String = rest.chars().take_while(|char| char.is_ascii_digit() || *char == ',').collect();
    Ok(digits.replace(',', "").parse()?)
}

type Files = Vec<(String, Vec<u8>)>;

/// Files of an archive as a node writes it.
fn unpack(packed: &[u8]) -> Result<Files> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes)?;
    let (mut files, mut rest) = (Vec::new(), bytes.as_slice());
    while rest.first().is_some_and(|byte| *byte != 0) {
        let (header, after) = rest.split_at(512);
        let name = std::str::from_utf8(&header[..100])?.trim_end_matches('\0').to_owned();
        let length = usize::from_str_radix(std::str::from_utf8(&header[124..135])?, 8)?;
        files.push((name, after[..length].to_vec()));
        rest = &after[length.next_multiple_of(512)..];
    }
    Ok(files)
}

/// The archive again, with zeros behind its end.
fn pack(files: &Files, zeros: usize) -> Result<Vec<u8>> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::best());
    for (name, bytes) in files {
        packing.write_all(&archive::header(name, bytes.len()))?;
        packing.write_all(bytes)?;
        packing.write_all(archive::padding(bytes.len()))?;
    }
    packing.write_all(archive::end())?;
    for _ in 0..zeros / 4_096 {
        packing.write_all(&[0; 4_096])?;
    }
    Ok(packing.finish()?)
}

fn flip(files: &mut Files, name: &str, at: usize) {
    let (_, bytes) = files.iter_mut().find(|file| file.0 == name).expect("a file of this name");
    bytes[at] ^= 1;
}

/// What is changed in the files, and how many zeros follow them.
type Lie = fn(&mut Files) -> usize;

/// What is changed, the code and the place that the page must name, and how.
const LIES: &[(&str, &str, &str, Lie)] = &[
    ("a byte of the manifest", "snapshot.wrong_network", "manifest.bin", |files| {
        flip(files, "manifest.bin", 2);
        0
    }),
    ("a byte of genesis", "snapshot.wrong_network", "genesis.bin", |files| {
        flip(files, "genesis.bin", 6);
        0
    }),
    ("a byte of a signature under the head", "snapshot.unauthorised", "head.bin", |files| {
        let (_, bytes) = files.iter_mut().find(|file| file.0 == "head.bin").expect("a head");
        let (header, mut certificate): (Header, Certificate) = codec::decode(bytes, 1 << 20).expect("a head");
        certificate.signatures.iter_mut().flatten().next().expect("a signature").0[0] ^= 1;
        *bytes = codec::encode(&(header, certificate));
        0
    }),
    ("a byte of the state", "snapshot.other_bytes", "state/000000.bin", |files| {
        flip(files, "state/000000.bin", 700);
        0
    }),
    ("a byte added to the state", "snapshot.other_bytes", "state/000000.bin", |files| {
        files.iter_mut().filter(|file| file.0 == "state/000000.bin").for_each(|file| file.1.push(0));
        0
    }),
    ("the state missing", "snapshot.missing", "state/000000.bin", |files| {
        files.retain(|file| file.0 != "state/000000.bin");
        0
    }),
    ("a file added", "snapshot.unexpected", "state/000001.bin", |files| {
        files.push(("state/000001.bin".to_owned(), vec![1]));
        0
    }),
    ("megabytes of zeros behind it", "snapshot.archive", "something follows its end", |_| 64 << 20),
];

#[tokio::test]
async fn a_snapshot_that_was_changed_is_refused_with_its_place_and_blocks_go_on() -> Result<()> {
    let network = Network::start(&plan(Members::All)?).await?;
    let listed = newest_above(network.url()?, LEAD).await?;
    let file = listed["file"].as_str().context("a file")?;
    let packed = reqwest::get(format!("{}/v1/snapshots/{file}", network.url()?)).await?.bytes().await?.to_vec();
    let relay = OfferingRelay::start(network.url()?).await?;
    let list = |archive: &[u8]| {
        let mut listed = listed.clone();
        listed["bytes"] = archive.len().into();
        listed
    };
    let browser = Browser::open().await?;

    for (index, (what, code, place, lie)) in LIES.iter().enumerate() {
        let mut files = unpack(&packed)?;
        let zeros = lie(&mut files);
        let archive = pack(&files, zeros)?;
        relay.offer(Offer { listed: list(&archive), archive, ..Offer::default() });
        // A wallet of its own has a chain of its own.
        browser.go(&format!("{}/?wallet=lie-{index}#/verification", relay.url)).await?;
        browser.see_within("does not verify", BLOCKS).await.with_context(|| (*what).to_owned())?;
        let shown = browser.text_of(".refusal .code").await?;
        ensure!(shown == *code, "{what}: the page says {shown}, {code} was expected");
        let page = browser.text().await?;
        ensure!(page.contains(place), "{what}: the page does not name {place}:\n{page}");
        ensure!(page.contains(&relay.url), "{what}: the page does not name the relay:\n{page}");
        println!("{what:40} {shown}");
        browser.see_within("verified #", BLOCKS).await.context("blocks go on")?;
        ensure!(!browser.text().await?.contains("Begins with"), "{what}: nothing of it is used");
        if *code == "snapshot.other_bytes" && index == 3 {
            browser.screenshot("refused-snapshot").await?;
        }
    }

    // A byte of the packed archive, wherever it is.
    let mut spoilt = packed.clone();
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 1;
    relay.offer(Offer { listed: list(&spoilt), archive: spoilt, ..Offer::default() });
    browser.go(&format!("{}/?wallet=spoilt#/verification", relay.url)).await?;
    browser.see_within("does not verify", BLOCKS).await?;
    let shown = browser.text_of(".refusal .code").await?;
    ensure!(shown.starts_with("snapshot."), "{shown}");

    // One that breaks off in the middle is taken up where it did.
    let breaks_after = Some(middle);
    relay.offer(Offer { listed: list(&packed), archive: packed.clone(), breaks_after, ..Offer::default() });
    browser.go(&format!("{}/?wallet=resumed#/verification", relay.url)).await?;
    wait::until("the archive to be asked for", BLOCKS, async || Ok((relay.asked() == [0]).then_some(()))).await?;
    // What was sent of it has arrived when a later request is answered.
    browser.driver().execute_async("fetch('/v1/info').then(arguments[0]);", Vec::new()).await?;
    relay.cut();
    ensure!(Some(base_shown(&browser).await?) == listed["height"].as_u64(), "it begins with this one");
    browser.see_within("verified #", BLOCKS).await?;
    ensure!(relay.asked() == [0, middle], "asked for it from {:?} on, it broke at {middle}", relay.asked());
    ensure!(!browser.text().await?.contains("does not verify"), "nobody is accused");

    // One that refuses a block and says that it has it would be asked for ever: it is dropped, by name.
    relay.offer(Offer { contradicts: true, ..Offer::default() });
    browser.go(&format!("{}/?wallet=contradiction#/verification", relay.url)).await?;
    browser.see_within("dropped", BLOCKS).await?;
    let page = browser.text().await?;
    ensure!(page.contains("relay.before_snapshot") && page.contains(&relay.url), "{page}");

    // One that trickles is left. The next one sends junk: that one is named. A third one has it; another one has it
    // too, but is not there. The honest one would have deleted it by then.
    let [junk, third, mute] = [
        OfferingRelay::start(network.url()?).await?,
        OfferingRelay::start(network.url()?).await?,
        OfferingRelay::start(network.url()?).await?,
    ];
    let good = Offer { listed: list(&packed), archive: packed.clone(), ..Offer::default() };
    let mut spoilt = packed.clone();
    spoilt[middle..].fill(0);
    junk.offer(Offer { archive: spoilt, ..good.clone() });
    third.offer(good.clone());
    mute.offer(Offer { is_mute: true, ..good });
    relay.offer(Offer {
        listed: list(&packed),
        archive: packed.clone(),
        breaks_after,
        trickles: true,
        ..Offer::default()
    });
    browser.go(&format!("{}/?wallet=trickle#/settings", relay.url)).await?;
    wait::until("the archive to be asked for", BLOCKS, async || Ok((relay.asked() == [0]).then_some(()))).await?;
    browser.see_within("Fetching and verifying the snapshot", BLOCKS).await?;
    browser
        .fill("Addresses, one per line", &format!("{}\n{}\n{}\n{}", relay.url, mute.url, junk.url, third.url))
        .await?;
    browser.click("Save relays").await?;
    browser.see("Relays changed").await?;
    browser.run("location.hash = '#/verification'").await?;
    browser.see_within("the snapshot of block #", PACE).await?;
    ensure!(Some(base_shown(&browser).await?) == listed["height"].as_u64(), "it begins with this one");
    browser.see_within("verified #", BLOCKS).await?;
    let asked = [&relay, &junk, &third, &mute].map(OfferingRelay::asked);
    ensure!(asked == [vec![0], vec![0], vec![0], vec![]], "it asked from {asked:?} on\n{}", browser.text().await?);
    let accused = browser.text_of(".refusal").await?;
    ensure!(accused.contains(&format!("From {}", junk.url)), "accused is: {accused}");
    browser.screenshot("refused-snapshot-of-the-second").await?;
    browser.close().await?;
    network.shut_down().await
}
