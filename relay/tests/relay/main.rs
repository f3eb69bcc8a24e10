//! A relay on real sockets, between validators and banks that may lie.

mod hostile;
mod network;
mod pipes;
mod serving;
mod sources;
