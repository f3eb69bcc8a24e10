//! The harness tried on a page of its own.

use anyhow::{Context as _, Result, ensure};
use fair_tests::browser::{Browser, DEADLINE, Kind, Windows};
use fair_tests::process::{Process, Spec};
use fair_tests::wait;

in_both!(
    operates_a_page_by_its_labels,
    storage_outlives_the_browser,
    an_error_tells_what_the_page_shows,
    pictures_show_the_whole_page_and_refuse_a_wide_one,
    a_browser_that_nobody_closes_ends,
);

async fn open_page(kind: Kind) -> Result<Browser> {
    let page = concat!("file://", env!("CARGO_MANIFEST_DIR"), "/tests/browser/harness/page.html");
    let browser = Browser::open_as(kind, Windows::Opened).await?;
    browser.go(page).await?;
    Ok(browser)
}

async fn operates_a_page_by_its_labels(kind: Kind) -> Result<()> {
    let browser = open_page(kind).await?;
    browser.see("No order yet").await?;
    browser.fill("Amount", "12.50").await?;
    browser.fill("Currency", "FRD").await?;
    browser.click("Order").await?;
    browser.see("Ordered 12.50 FRD").await?;
    browser.see_no_more("No order yet").await?;
    assert_eq!(browser.value("Amount").await?, "12.50");
    assert_eq!(browser.text_of("output").await?, "Ordered 12.50 FRD");
    browser.click("Inside").await?;
    browser.see("a shadow was clicked").await?;
    browser.close().await
}

async fn storage_outlives_the_browser(kind: Kind) -> Result<()> {
    let browser = open_page(kind).await?;
    let page = browser.address().await?;
    browser.click("Remember").await?;
    browser.see("remembered").await?;
    let browser = browser.reopen().await?;
    browser.go(&page).await?;
    browser.see("remembered").await?;
    browser.close().await
}

async fn an_error_tells_what_the_page_shows(kind: Kind) -> Result<()> {
    let browser = open_page(kind).await?;
    let short = std::time::Duration::from_millis(100);
    let error = browser.see_within("Paid", short).await.expect_err("nobody paid");
    assert!(format!("{error:#}").contains("No order yet"), "{error:#}");
    let script = "const script = document.createElement('script');
        script.textContent = \"throw new Error('broken pipe');\";
        document.head.append(script);";
    browser.run(script).await?;
    wait::until("the script's error", DEADLINE, async || {
        let errors = browser.console_errors().await?;
        Ok(errors.iter().any(|line| line.contains("broken pipe")).then_some(()))
    })
    .await?;
    browser.close().await
}

async fn pictures_show_the_whole_page_and_refuse_a_wide_one(kind: Kind) -> Result<()> {
    let browser = open_page(kind).await?;
    browser.screenshot("harness").await?;
    let folder = fair_tests::browser::screenshot_folder()?;
    let suffix = if kind == Kind::Firefox { "-firefox" } else { "" };
    for (screen, width) in [("390-light", 390), ("390-dark", 390), ("1280-light", 1280), ("1280-dark", 1280)] {
        let picture = std::fs::read(folder.join(format!("harness-{screen}{suffix}.png")))?;
        let field = |at: usize| picture[at..at + 4].iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
        assert_eq!(field(16), width);
        assert!(field(20) >= 2_000, "the page is 2,000 px long, the picture {}", field(20));
    }
    refuses_what_is_careless(&browser).await?;
    browser.run("document.querySelector('output').style.width = '3000px'").await?;
    let error = browser.screenshot("harness-wide").await.expect_err("too wide");
    assert!(error.to_string().contains("wider than the screen"), "{error:#}");
    browser.close().await
}

/// What the page is changed to, and what is said about it.
const CARELESS: [(&str, &str); 7] = [
    ("document.querySelector('output').style.width = '321px';", "321 px wide"),
    ("document.querySelector('output').style.color = '#777777';", "hard to read"),
    ("document.getElementById('remember').style.minHeight = 'auto';", "no finger meets"),
    ("document.getElementById('remember').tabIndex = -1;", "instead of"),
    ("document.getElementById('remember').style.outline = 'none';", "no outline"),
    ("document.getElementById('host').style.overflow = 'hidden';", "cut off"),
    ("document.querySelector('[for=currency]').remove();", "without a name"),
];

async fn refuses_what_is_careless(browser: &Browser) -> Result<()> {
    let page = browser.address().await?;
    browser.on_a_small_phone("harness").await?;
    for (change, says) in CARELESS {
        if says == "without a name" && browser.kind() == Kind::Firefox {
            continue;
        }
        browser.run(change).await?;
        let error =
            browser.on_a_small_phone("harness").await.err().with_context(|| format!("nothing about `{says}`"))?;
        ensure!(error.to_string().contains(says), "{says}: {error:#}");
        browser.go(&page).await?;
    }
    Ok(())
}

/// How many processes have this text in their arguments.
fn count(text: &str) -> Result<usize> {
    let processes = std::fs::read_dir("/proc")?.filter_map(Result::ok);
    let arguments = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    Ok(arguments.filter(|arguments| String::from_utf8_lossy(arguments).contains(text)).count())
}

async fn ends(profile: &str) -> Result<()> {
    wait::until("the end of a browser", DEADLINE, async || Ok((count(profile)? == 0).then_some(()))).await
}

async fn a_browser_that_nobody_closes_ends(kind: Kind) -> Result<()> {
    let browser = open_page(kind).await?;
    let profile = browser.profile().display().to_string();
    ensure!(count(&profile)? > 0, "it runs");
    drop(browser);
    ends(&profile).await
}

/// Set for the process that the last test kills.
const HOLD: &str = "FAIR_TESTS_HOLD";

/// By itself nothing: a process that holds a browser until it is killed.
#[tokio::test]
async fn holds_a_browser_if_told_to() -> Result<()> {
    if std::env::var(HOLD).is_err() {
        return Ok(());
    }
    let browser = open_page(Kind::Chromium).await?;
    println!("held {}", browser.profile().display());
    std::future::pending().await
}

#[tokio::test]
async fn a_browser_ends_with_a_killed_test() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let spec = Spec {
        name: "test".into(),
        program: std::env::current_exe()?,
        arguments: ["--exact", "harness::holds_a_browser_if_told_to", "--nocapture"].map(Into::into).into(),
        environment: vec![(HOLD.into(), "1".into()), ("TMPDIR".into(), folder.path().display().to_string())],
        log_file: folder.path().join("test.log"),
    };
    let mut test = Process::start(spec)?;
    let line = test.wait_for_line("held ", DEADLINE).await?;
    let profile = line.rsplit(' ').next().context("a profile")?;
    ensure!(count(profile)? > 0, "it runs");
    test.kill().await?;
    ends(profile).await
}
