//! Watchtowers as pages see them. The machine hands states over; here is only who and where.

use super::Core;
use crate::error::Error;
use crate::view::{Tower, TowerChange, TowerChannel};
use fair_core::types::PublicKey;
use fair_core::wallet::Input;
use std::rc::Rc;

impl Core {
    /// All towers.
    pub(super) fn towers(&self) -> Result<Vec<Tower>, Error> {
        self.ask(|machine, chain| {
            let explorer = crate::explorer::Explorer { state: chain.state, you: Some(machine.key()) };
            let towers = machine.towers().map(|view| Tower {
                tower: view.tower.key,
                url: view.tower.url.clone(),
                connected: view.connected,
                last: view.last_ms.map(Into::into),
                channels: view
                    .channels
                    .iter()
                    .map(|channel| TowerChannel {
                        bank: explorer.reference(&channel.bank),
                        covered: channel.is_covered,
                        declined: channel.declined.map(|reason| reason.to_string()),
                    })
                    .collect(),
                faults: view.tower.misbehaviours.iter().map(ToString::to_string).collect(),
            });
            Ok(towers.collect())
        })
    }

    /// Uses the tower with this address: its key, and `@` with the place where it is reached unless a relay pipes
    /// to it.
    pub(super) async fn add_tower(self: &Rc<Self>, address: &str) -> Result<Vec<Tower>, Error> {
        let bad = || Error::new("input.tower", "This is not the address of a watchtower.");
        let (key, url) = address.trim().split_once('@').unwrap_or((address.trim(), ""));
        let tower: PublicKey = key.to_ascii_lowercase().parse().map_err(|_| bad())?;
        let url = url.trim_end_matches('/').to_owned();
        if !(url.is_empty() || url.starts_with("http://") || url.starts_with("https://")) {
            return Err(bad());
        }
        self.handle(Input::AddTower { tower, url }).await?;
        self.towers()
    }

    pub(super) async fn remove_tower(self: &Rc<Self>, tower: &str) -> Result<Vec<Tower>, Error> {
        let tower = tower.parse().map_err(|_| Error::new("input.tower", "This is not the address of a watchtower."))?;
        self.handle(Input::RemoveTower { tower }).await?;
        self.towers()
    }

    /// A session with each tower that is used, and with no other.
    pub(super) fn follow_tower(self: &Rc<Self>, tower: PublicKey) {
        let is_used = self.machine().is_ok_and(|machine| machine.tower(&tower).is_some());
        if is_used {
            self.keep_session(tower);
        } else {
            self.end_session(&tower);
        }
        self.events.emit("tower", &TowerChange { tower });
    }

    /// Where a peer is reached that is no bank behind a relay.
    pub(super) fn own_place(&self, peer: &PublicKey) -> Option<String> {
        let machine = self.machine().ok()?;
        let url = &machine.tower(peer)?.tower.url;
        (!url.is_empty()).then(|| url.clone())
    }
}
