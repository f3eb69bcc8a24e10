//! Tests in a real browser; `cargo xtask test` runs them. One module per subject.

/// Tests that run in Chromium and in Firefox. `cargo xtask test` knows those in Firefox by their last name.
macro_rules! in_both {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            use fair_tests::browser::Kind;

            #[tokio::test]
            async fn in_chromium() -> anyhow::Result<()> {
                super::$test(Kind::Chromium).await
            }

            #[tokio::test]
            async fn in_firefox() -> anyhow::Result<()> {
                super::$test(Kind::Firefox).await
            }
        }
    )+};
}

mod court;
mod embed;
mod governance;
mod harness;
mod journey;
mod kill;
mod lying_relay;
mod pages;
mod payments;
mod places;
mod read_only;
mod restore;
mod shop;
mod sleeper;
mod snapshots;
mod story;
mod till;
mod tower;
mod trust;
mod validator;
mod withdraw;
