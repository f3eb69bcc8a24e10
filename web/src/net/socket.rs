//! A WebSocket of binary messages with a bounded queue: whoever sends faster than we read, or more than
//! allowed at once, is cut off.

use crate::limits;
use futures_channel::mpsc;
use futures_util::StreamExt as _;
use js_sys::{ArrayBuffer, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

/// Messages that may wait to be read.
const QUEUE: usize = 256;

/// What happened on a socket.
#[derive(Debug)]
pub enum Incoming {
    /// It is open.
    Open,
    /// A message.
    Bytes(Vec<u8>),
    /// It is closed; nothing follows.
    Closed(String),
}

/// An open or opening socket. Dropping it closes it.
pub struct Socket {
    socket: WebSocket,
    incoming: mpsc::Receiver<Incoming>,
    _handlers: Handlers,
}

type Handler<E> = Closure<dyn FnMut(E)>;
type Handlers = (Handler<Event>, Handler<MessageEvent>, Handler<CloseEvent>);

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("url", &self.socket.url()).finish_non_exhaustive()
    }
}

impl Socket {
    /// Begins to connect. Messages longer than `limit` end the connection.
    ///
    /// # Errors
    /// What the browser says about the address.
    pub fn open(url: &str, limit: usize) -> Result<Self, String> {
        let socket = WebSocket::new(url).map_err(|error| super::describe(&error))?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let (sender, incoming) = mpsc::channel(QUEUE);
        let sender = Rc::new(RefCell::new(sender));
        let on_open = Closure::new({
            let sender = sender.clone();
            move |_: Event| drop(sender.borrow_mut().try_send(Incoming::Open))
        });
        let on_message = Closure::new({
            let (sender, socket) = (sender.clone(), socket.clone());
            move |event: MessageEvent| {
                let fits =
                    event.data().dyn_into::<ArrayBuffer>().ok().filter(|data| data.byte_length() as usize <= limit);
                let taken = fits.is_some_and(|data| {
                    let bytes = Uint8Array::new(&data).to_vec();
                    sender.borrow_mut().try_send(Incoming::Bytes(bytes)).is_ok()
                });
                if !taken {
                    sender.borrow_mut().close_channel();
                    drop(socket.close());
                }
            }
        });
        let on_close = Closure::new(move |event: CloseEvent| {
            drop(sender.borrow_mut().try_send(Incoming::Closed(format!("closed with code {}", event.code()))));
            sender.borrow_mut().close_channel();
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Ok(Self { socket, incoming, _handlers: (on_open, on_message, on_close) })
    }

    /// The next thing that happens.
    pub async fn next(&mut self) -> Incoming {
        self.incoming.next().await.unwrap_or_else(|| Incoming::Closed("cut off".to_owned()))
    }

    /// The sending end.
    pub fn sender(&self) -> Sender {
        Sender { socket: self.socket.clone() }
    }
}

/// The sending end of a socket. It does not keep the socket open.
#[derive(Clone, Debug)]
pub struct Sender {
    socket: WebSocket,
}

impl Sender {
    /// Gives a message to the browser to be sent. A line that takes nothing any more is cut.
    pub fn send(&self, bytes: &[u8]) {
        let full = self.socket.buffered_amount() as usize > limits::MAX_UNSENT_BYTES;
        if full || self.socket.send_with_u8_array(bytes).is_err() {
            drop(self.socket.close());
        }
    }

    /// Closes the socket; its reader is told.
    pub fn close(&self) {
        drop(self.socket.close());
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        drop::<Result<(), JsValue>>(self.socket.close());
    }
}
