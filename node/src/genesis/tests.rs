use super::*;
use std::fs;

impl Plan {
    /// A network of four validators and a bank, in a folder of the test.
    pub(crate) fn of_four(out: &Path) -> Self {
        Self {
            preset: Preset::Demo,
            name: "local".to_owned(),
            block_time_ms: None,
            changes: Vec::new(),
            out: out.to_owned(),
            members: Vec::new(),
            validators: 4,
            base_port: 7100,
        }
    }
}

#[test]
fn a_local_network_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let made = genesis(&Plan::of_four(folder.path())).unwrap();
    made.check().unwrap();
    let (bank, config) = Home::open(&folder.path().join("bank")).unwrap();
    assert_eq!(config.kind, Kind::Bank);
    let bank_key = bank.account_key().unwrap().public();
    assert_eq!(made.accounts[0].key, bank_key, "account 1 is the bank's");
    assert_eq!((made.banks[0].key, made.banks[0].handle.as_str()), (bank_key, "main"));
    assert_eq!(made.validators.validators.len(), 4);
    for number in 1..=4 {
        let (home, config) = Home::open(&folder.path().join(format!("v{number}"))).unwrap();
        let (read, _) = home.genesis().unwrap();
        assert_eq!(read, made);
        let validator = made.validators.by_account(&config.account).unwrap();
        assert_eq!(validator.signing_key, home.signing_key().unwrap().public());
        assert_eq!((validator.shares, &validator.url), (25, &config.url));
        assert_eq!(home.account_key().is_err(), number == 1, "the bank alone holds the key of account 1");
    }
}

#[test]
fn members_that_exist_make_the_same_kind_of_network() {
    let folder = tempfile::tempdir().unwrap();
    let members = (1..=4_u16).map(|number| {
        let path = folder.path().join(format!("op{number}"));
        init(
            &path,
            Kind::Validator,
            ([127, 0, 0, 1], number).into(),
            Some(format!("http://v{number}.example")),
            None,
            None,
        )
        .unwrap();
        path.join("member.json")
    });
    let out = folder.path().join("out");
    let made = genesis(&Plan { members: members.collect(), ..Plan::of_four(&out) }).unwrap();
    assert_eq!(made.validators.validators.len(), 4);
    assert!(made.banks.is_empty());
    assert!(!out.join("v1").exists());
}

#[test]
fn nothing_is_made_for_what_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let refused = genesis(&Plan { block_time_ms: Some(0), changes: Vec::new(), ..Plan::of_four(&out) }).unwrap_err();
    assert!(refused.to_string().contains("min_block_interval > 0"), "{refused}");
    assert!(genesis(&Plan { base_port: 65_533, ..Plan::of_four(&out) }).is_err());
    assert!(genesis(&Plan { validators: 0, ..Plan::of_four(&out) }).is_err());
    assert!(!out.exists());
}

#[test]
fn an_existing_network_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    genesis(&Plan::of_four(folder.path())).unwrap();
    let before = fs::read(folder.path().join("genesis.bin")).unwrap();
    assert!(matches!(genesis(&Plan::of_four(folder.path())), Err(NodeError::Exists { .. })));
    assert_eq!(fs::read(folder.path().join("genesis.bin")).unwrap(), before);
}
