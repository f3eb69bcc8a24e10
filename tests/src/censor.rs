//! Validators that take batches and drop them: a front before each validator, at the address that the chain names.
//! It passes everything on, but for batches that it drops while it answers as if they waited.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use fair_core::ledger::batch::{self, Batch};
use fair_core::message::Signed;
use fair_core::{codec, limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{pass_on, read_head};
use crate::network::free_port;

/// Which batches are dropped.
pub type Dropped = fn(&Batch) -> bool;

/// What one front does.
#[derive(Clone, Copy, Debug, Default)]
struct Front {
    lets_through: bool,
    dropped: usize,
}

/// The fronts of a network. Clones are the same.
#[derive(Clone, Debug)]
pub struct Censors {
    drops: Dropped,
    fronts: Arc<Mutex<BTreeMap<String, Front>>>,
}

impl Censors {
    /// Fronts that will drop such batches.
    #[must_use]
    pub fn new(drops: Dropped) -> Self {
        Self { drops, fronts: Arc::default() }
    }

    /// How many batches each front has dropped, one number for each validator.
    #[must_use]
    pub fn dropped(&self) -> Vec<usize> {
        self.with(|fronts| fronts.values().map(|front| front.dropped).collect())
    }

    /// From now on the front of a validator drops nothing.
    pub fn let_through(&self, validator: &str) {
        self.with(|fronts| fronts.entry(validator.to_owned()).or_default().lets_through = true);
    }

    /// Every front drops again, and has dropped nothing yet.
    pub fn begin_anew(&self) {
        self.with(|fronts| fronts.values_mut().for_each(|front| *front = Front::default()));
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<String, Front>) -> T) -> T {
        look(&mut self.fronts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Moves a validator that does not run yet to another port, and stands where it was.
    pub(crate) async fn stand_before(&self, validator: &str, home: &Path) -> Result<()> {
        let config = home.join("config.toml");
        let text = std::fs::read_to_string(&config)?;
        let line = text.lines().find(|line| line.starts_with("listen = ")).context("a line `listen`")?;
        let address = line.trim_start_matches("listen = ").trim_matches('"').to_owned();
        let behind = format!("127.0.0.1:{}", free_port()?);
        std::fs::write(&config, text.replace(line, &format!("listen = \"{behind}\"")))?;
        self.with(|fronts| fronts.insert(validator.to_owned(), Front::default()));
        let listener = TcpListener::bind(&address).await.with_context(|| format!("a front at {address}"))?;
        let (censors, name) = (self.clone(), validator.to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (censors, name, behind) = (censors.clone(), name.clone(), behind.clone());
                tokio::spawn(async move {
                    // Whoever hangs up is gone.
                    let _ = censors.serve(stream, &name, &behind).await;
                });
            }
        });
        Ok(())
    }

    /// One request per connection; a WebSocket lasts as long as its connection.
    async fn serve(&self, mut stream: TcpStream, name: &str, behind: &str) -> Result<()> {
        let (head, mut body) = read_head(&mut stream).await?;
        if head.starts_with("POST /v1/batches") {
            let length = head.lines().find_map(|line| {
                let (field, value) = line.split_once(':')?;
                field.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let length = length.filter(|length| *length <= limits::MAX_BATCH_BYTES).context("a length")?;
            while body.len() < length {
                if stream.read_buf(&mut body).await? == 0 {
                    bail!("half a batch");
                }
            }
            let batch: Signed<Batch> = codec::decode(&body, limits::MAX_BATCH_BYTES)?;
            if self.drops(name, &batch.body) {
                let answer = serde_json::json!({ "hash": batch::hash(&batch) }).to_string();
                let head = format!(
                    "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    answer.len()
                );
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(answer.as_bytes()).await?;
                return Ok(stream.shutdown().await?);
            }
        }
        pass_on(stream, behind, &head, &body).await
    }

    fn drops(&self, name: &str, batch: &Batch) -> bool {
        self.with(|fronts| {
            let front = fronts.entry(name.to_owned()).or_default();
            let drops = !front.lets_through && (self.drops)(batch);
            front.dropped += usize::from(drops);
            drops
        })
    }
}
