//! A thin public relay: serves pages and verified blocks, pipes WebSockets to banks, holds no key.
