//! Golden vectors: checks the files, and that today's code would write the same ones. With
//! `UPDATE_VECTORS=1` it writes them.
#![allow(clippy::unwrap_used, reason = "a vector that cannot be made is a failed test")]

#[path = "vectors/make.rs"]
mod make;
#[path = "vectors/receipts.rs"]
mod receipts;

use fair_core::vectors::{FILES, Vector, check, check_all, read};
use std::path::Path;

/// One vector a line, so that a difference shows which changed. The order of a line's fields is not part
/// of a vector: it depends on how the JSON library was compiled.
fn text(vectors: &[Vector]) -> String {
    let lines: Vec<_> = vectors.iter().map(|vector| serde_json::to_string(vector).unwrap()).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

#[test]
fn the_vectors_hold() {
    let made = make::files();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        for (file, vectors) in &made {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(file);
            std::fs::write(path, text(vectors)).unwrap();
            for vector in vectors {
                check(&vector.case).unwrap_or_else(|error| panic!("{file}: {}: {error}", vector.why));
            }
        }
        return;
    }
    let count = check_all().unwrap();
    assert!(count > 100, "{count} vectors");
    for ((file, vectors), (name, stored)) in made.iter().zip(FILES) {
        assert_eq!(file, name);
        let stored = read(stored).unwrap();
        for (made, stored) in vectors.iter().zip(&stored) {
            assert_eq!(made, stored, "{file}");
        }
        assert_eq!(vectors.len(), stored.len(), "{file}");
    }
}
