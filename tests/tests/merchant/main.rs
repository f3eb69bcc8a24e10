//! A merchant as a real process, between a real payer, a real bank and a real receiver of webhooks: the life of an
//! invoice, what strangers and thieves get, how webhooks are brought, and that no crash loses or invents anything.

mod banks;
mod bounds;
mod days;
mod demo;
mod health;
mod kill;
mod life;
mod lists;
mod refunds;
mod shop;
mod strangers;
mod webhooks;
