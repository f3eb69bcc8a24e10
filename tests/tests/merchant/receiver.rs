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
use std::collections::VecDeque;
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
pub(super) enum How {
    Status(u16),
    Redirect(String),
    /// Not at all.
    Never,
}

/// What came.
#[derive(Clone, Debug)]
pub(super) struct Came {
    /// `webhook-id`.
    pub(super) id: String,
    pub(super) event: Value,
    /// Signed as the standard says.
    pub(super) is_genuine: bool,
    /// It was answered as taken.
    pub(super) taken: bool,
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
pub(super) struct Receiver {
    scheme: &'static str,
    pub(super) port: u16,
    inner: Arc<Mutex<Inner>>,
    server: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    pub(super) async fn start() -> Result<Self> {
        Self::start_at(0).await
    }

    pub(super) async fn start_at(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.context("a port for the receiver")?;
        Self::serve(listener.local_addr()?.port(), "http", listener)
    }

    /// With a certificate and its key.
    pub(super) async fn start_with(certificate: &[u8], key: &[u8]) -> Result<Self> {
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

    pub(super) fn url(&self) -> String {
        self.url_as("127.0.0.1")
    }

    /// By another name of this machine.
    pub(super) fn url_as(&self, host: &str) -> String {
        format!("{}://{host}:{}/hook", self.scheme, self.port)
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What requests are verified with.
    pub(super) fn trust(&self, secret: &str) {
        self.inner().secret = Some(secret.to_owned());
    }

    /// Likewise, and refuses what is not signed so, as a shop does. When it was signed does not matter: the merchant's
    /// clock is put ahead.
    pub(super) fn trust_strictly(&self, secret: &str) {
        self.trust(secret);
        self.inner().is_strict = true;
    }

    /// How the next requests are answered; those after them are taken.
    pub(super) fn answer(&self, script: impl IntoIterator<Item = How>) {
        self.inner().script = script.into_iter().collect();
    }

    pub(super) fn came(&self) -> Vec<Came> {
        self.inner().came.clone()
    }

    /// What was taken, in the order in which it came.
    pub(super) fn taken(&self) -> Vec<Came> {
        self.came().into_iter().filter(|came| came.taken).collect()
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
