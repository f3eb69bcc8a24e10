//! `node key`: the keys with which a shop's server asks its merchant.

use crate::error::NodeError;
use crate::merchant::Scope;
use crate::operator;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Keys {
    /// The merchant's home
    #[arg(long)]
    home: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key; it is printed this once, and stored as a hash
    Create {
        /// What it is good for; repeat it
        #[arg(long = "scope", value_enum, required = true)]
        scopes: Vec<Scope>,
        /// For you to know it by; a request repeated with a key of another name is another request, so change a key
        /// by `rotate`
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Make another key with the name and scopes of one, which stays good until it is revoked
    Rotate {
        /// Its id
        id: String,
    },
    /// Print all keys: what they are good for, not the keys themselves
    List,
    /// Make a key good for nothing, at once
    Revoke {
        /// Its id
        id: String,
    },
}

impl Keys {
    pub(super) fn run(&self) -> Result<(), NodeError> {
        match &self.what {
            What::Create { scopes, name } => {
                operator::post(&self.home, "/v1/keys/create", &json!({ "scopes": scopes, "name": name }))
            }
            What::Rotate { id } => operator::post(&self.home, "/v1/keys/rotate", &json!({ "id": id })),
            What::List => operator::post(&self.home, "/v1/keys/list", &json!({})),
            What::Revoke { id } => operator::post(&self.home, "/v1/keys/revoke", &json!({ "id": id })),
        }
    }
}
