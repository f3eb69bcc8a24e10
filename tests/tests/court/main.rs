//! Court with real processes: who was robbed, by how much, and what the chain makes of it. What is asserted is read
//! from a chain that the test executes itself, block by block; in the end it stands on the pages too.

mod bad_bank;
mod cast;
mod censors;
mod falls;
mod locks;
mod person;
mod stale;

use fair_tests::chain;
