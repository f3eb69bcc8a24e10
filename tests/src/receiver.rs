//! A receiver of webhooks: a real server that verifies with the standard's own library and answers as it is told.

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::serve::Listener;
use serde_json::Value;
use standardwebhooks::Webhook;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// How the next request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// With this status.
    Status(u16),
    /// It is somewhere else.
    Redirect(String),
    /// Not at all.
    Never,
}

/// What came.
#[derive(Clone, Debug)]
pub struct Came {
    /// `webhook-id`.
    pub id: String,
    /// The body.
    pub event: Value,
    /// Signed as the standard says.
    pub is_genuine: bool,
    /// It was answered as taken.
    pub taken: bool,
}

#[derive(Default)]
struct Inner {
    secret: Option<String>,
    /// Whether it refuses what is not signed, and does not look at when it was.
    is_strict: bool,
    script: VecDeque<How>,
    came: Vec<Came>,
}

/// Serves until it is dropped.
pub struct Receiver {
    scheme: &'static str,
    /// Where it listens.
    pub port: u16,
    inner: Arc<Mutex<Inner>>,
    server: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    /// On a free port.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start() -> Result<Self> {
        Self::start_at(0).await
    }

    /// On this port.
    ///
    /// # Errors
    /// If somebody else has it.
    pub async fn start_at(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.context("a port for the receiver")?;
        Self::serve(listener.local_addr()?.port(), "http", listener)
    }

    /// By https, with a certificate and its key.
    ///
    /// # Errors
    /// If they do not fit.
    pub async fn start_with(certificate: &[u8], key: &[u8]) -> Result<Self> {
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.context("a port for the receiver")?;
        Self::serve(tcp.local_addr()?.port(), "https", TlsListener { tls: tls(certificate, key)?, tcp })
    }

    fn serve<L: Listener<Addr = SocketAddr>>(port: u16, scheme: &'static str, listener: L) -> Result<Self> {
        let inner: Arc<Mutex<Inner>> = Arc::default();
        let router = Router::new().route("/hook", post(receive)).with_state(inner.clone());
        let server = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { scheme, port, inner, server })
    }

    /// Where events are brought.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_as("127.0.0.1")
    }

    /// By another name of this machine.
    #[must_use]
    pub fn url_as(&self, host: &str) -> String {
        format!("{}://{host}:{}/hook", self.scheme, self.port)
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What requests are verified with.
    pub fn trust(&self, secret: &str) {
        self.inner().secret = Some(secret.to_owned());
    }

    /// Likewise, and refuses what is not signed so, as a shop does. When it was signed does not matter: the merchant's
    /// clock is put ahead.
    pub fn trust_strictly(&self, secret: &str) {
        self.trust(secret);
        self.inner().is_strict = true;
    }

    /// How the next requests are answered; those after them are taken.
    pub fn answer(&self, script: impl IntoIterator<Item = How>) {
        self.inner().script = script.into_iter().collect();
    }

    /// Everything, in the order in which it came.
    #[must_use]
    pub fn came(&self) -> Vec<Came> {
        self.inner().came.clone()
    }

    /// What was taken, in the order in which it came.
    #[must_use]
    pub fn taken(&self) -> Vec<Came> {
        self.came().into_iter().filter(|came| came.taken).collect()
    }

    /// How many different events came, and how many invoices are paid by what they say.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let inner = self.inner();
        let different: BTreeSet<&str> = inner.came.iter().map(|came| came.id.as_str()).collect();
        let paid = inner.came.iter().filter(|came| came.event["type"] == "invoice.paid");
        let paid: BTreeSet<Option<&str>> = paid.map(|came| came.event["data"]["id"].as_str()).collect();
        (different.len(), paid.len())
    }
}

/// Takes connections by TLS.
struct TlsListener {
    tls: TlsAcceptor,
    tcp: TcpListener,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = Listener::accept(&mut self.tcp).await;
            // Whoever does not trust the certificate goes away.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

fn tls(certificate: &[u8], key: &[u8]) -> Result<TlsAcceptor> {
    let certificate = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key)?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
    Ok(TlsAcceptor::from(Arc::new(config.with_single_cert(certificate, key)?)))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether one of the signatures is that of the standard's library over the same id, time and body.
fn is_signed(verifier: &Webhook, body: &[u8], headers: &HeaderMap) -> bool {
    let Ok(timestamp) = text(headers, "webhook-timestamp").parse() else { return false };
    let signed = verifier.sign(text(headers, "webhook-id"), timestamp, body);
    signed.is_ok_and(|signed| text(headers, "webhook-signature").split(' ').any(|one| one == signed))
}

async fn receive(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, body: Bytes) -> Response {
    let how = {
        let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
        let how = inner.script.pop_front().unwrap_or(How::Status(204));
        let verifier = inner.secret.as_ref().and_then(|secret| Webhook::new(secret).ok());
        let is_genuine = verifier.is_some_and(|verifier| {
            if inner.is_strict {
                is_signed(&verifier, &body, &headers)
            } else {
                verifier.verify(&body, &headers).is_ok()
            }
        });
        let how = if inner.is_strict && !is_genuine { How::Status(400) } else { how };
        let id = text(&headers, "webhook-id").to_owned();
        let event = serde_json::from_slice(&body).unwrap_or_default();
        let taken = matches!(how, How::Status(status) if (200..300).contains(&status));
        inner.came.push(Came { id, event, is_genuine, taken });
        how
    };
    match how {
        How::Status(status) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        How::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        How::Never => std::future::pending().await,
    }
}
