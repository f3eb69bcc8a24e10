//! `<fair-pay>` as one file. Shops load it with `integrity`, which covers what it imports not at all.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha384};

/// The element's file in the bundle.
pub(crate) const FILE: &str = "embed/fair-pay.js";

/// As sent (brotli): docs/embedding.md promises it to shops.
pub(crate) const LIMIT_BYTES: usize = 8 * 1024;

const LIBRARY: &str = "embed/lean-qr.js";
const IMPORT: &str = "import { generate } from './lean-qr.js';\n";
const EXPORT: &str = "export{";
const NAME: &str = " as generate";

/// Puts the QR library into the element's file.
pub(crate) fn join(bundle: &Path) -> Result<()> {
    let element = fs::read_to_string(bundle.join(FILE))?;
    let library = fs::read_to_string(bundle.join(LIBRARY))?;
    fs::write(bundle.join(FILE), joined(&element, &library)?)?;
    Ok(())
}

fn joined(element: &str, library: &str) -> Result<String> {
    let (body, exports) = library.rsplit_once(EXPORT).context("the QR library exports nothing")?;
    let name = exports.split(['}', ',']).find_map(|export| export.strip_suffix(NAME));
    let name = name.context("the QR library exports no `generate`")?;
    let inside = format!("const generate = (() => {{\n{body}return {name};\n}})();\n");
    let whole = element.replacen(IMPORT, &inside, 1);
    let imports = |line: &str| line.starts_with("import ") || line.contains("import(");
    ensure!(!whole.lines().any(imports), "{FILE} still imports something");
    Ok(whole)
}

/// The value of `integrity` for a script with this content.
pub(crate) fn integrity(content: &[u8]) -> String {
    format!("sha384-{}", STANDARD.encode(Sha384::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_put_into_the_element() {
        let element = format!("// one\n{IMPORT}generate('x');\n");
        let whole = joined(&element, "/*! licence */\nconst a=1;export{b as other,a as generate};\n").unwrap();
        assert_eq!(
            whole,
            "// one\nconst generate = (() => {\n/*! licence */\nconst a=1;return a;\n})();\ngenerate('x');\n"
        );
        assert!(joined(&element, "const a=1;").is_err());
        assert!(joined(&element, "export{a as other};").is_err());
        assert!(joined("import './else.js';\n", "export{a as generate};").is_err());
    }

    #[test]
    fn integrity_is_what_browsers_expect() {
        // SHA-384 of nothing.
        let empty = "sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb";
        assert_eq!(integrity(b""), empty);
    }
}
