//! The protocol's worked example with real processes; every number is proven and read from both parties'
//! databases. Ends with an error that names the number when one is not exactly the protocol's.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use fair_tests::story::{MAX_SCALE, ORIENTATIONS, Story};

/// Tells the worked example of docs/protocol.md, section 8, in all four orientations.
#[derive(Parser)]
#[command(name = "story")]
struct Arguments {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// All amounts but the chain's own fees are so many times the protocol's.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SCALE)))]
    scale: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    match tell(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn tell(arguments: &Arguments) -> Result<()> {
    let mut story = Story::begin(arguments.scale).await?;
    for orientation in ORIENTATIONS {
        eprintln!("telling it with {orientation}");
        story.tell(orientation).await?;
    }
    let report = story.end().await?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
