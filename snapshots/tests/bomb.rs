//! Small archives that inflate to gigabytes. Alone in its process, whose memory is measured.
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

mod made;

use fair_core::chain::snapshot::{BadSnapshot, archive};
use fair_snapshots::{ReadError, read, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use made::Made;
use std::fs;
use std::io::Write as _;

/// Most memory that reading may take, in KiB: the longest file that may come is the manifest, with 9 MB.
const MOST_KIB: u64 = 48 << 10;
/// Each member of the archive inflates to this many zeros.
const MEMBER: usize = 8 << 20;
/// So many come.
const MEMBERS: usize = 256;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::default());
    packing.write_all(bytes).unwrap();
    packing.finish().unwrap()
}

/// The most memory that this process has used, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn two_gigabytes_of_zeros_are_refused_in_little_memory() {
    let temporary = tempfile::tempdir().unwrap();
    let mut chain = Made::new(3);
    let listed = write(temporary.path(), chain.next()).unwrap();
    let path = temporary.path().join(&listed.file);
    let whole = fs::read(&path).unwrap();
    let zeros = packed(&vec![0; MEMBER]).repeat(MEMBERS);
    assert!(zeros.len() < 4 << 20, "{} bytes on the way", zeros.len());
    let before = peak();
    let refused = |first: &[u8]| {
        fs::write(&path, [first, &zeros].concat()).unwrap();
        match read(&path, chain.reader(), |_, _| {}).err().unwrap() {
            ReadError::Bad { error, .. } => error,
            ReadError::File { error, .. } => panic!("{error}"),
        }
    };
    // Behind a good one; as a file of a gigabyte; as the longest file that is taken.
    let BadSnapshot::Archive { reason } = refused(&whole) else { panic!("another reason") };
    assert_eq!(reason, "something follows its end");
    let long = refused(&packed(&archive::header("manifest.bin", 1 << 30)));
    assert!(matches!(&long, BadSnapshot::TooLong { file, .. } if file == "manifest.bin"), "{long}");
    let longest = fair_core::chain::snapshot::MAX_MANIFEST_BYTES;
    let longest = refused(&packed(&archive::header("manifest.bin", longest)));
    assert!(matches!(&longest, BadSnapshot::Malformed { file, .. } if file == "manifest.bin"), "{longest}");
    let used = peak() - before;
    assert!(used < MOST_KIB, "{used} KiB");
}
