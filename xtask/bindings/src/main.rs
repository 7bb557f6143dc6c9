//! How the structs of ggml's backend interface are laid out in one version of it, as bindgen reads them from its headers.
//!
//! ```text
//! ggml-layouts FOLDER     folder `ggml` of a version's sources
//! ggml_tensor 336 type 0 buffer 8 ne 16 ...
//! ```
//! A line a struct: name, bytes, and each field with its offset. `cargo xtask bindings` makes the table of all versions of these lines. This is
//! a package of its own because bindgen and the libclang that it loads are needed for nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// The structs that cross the boundary between ggml and the library.
const STRUCTS: &[&str] = &[
    "ggml_tensor",
    "ggml_cgraph",
    "ggml_hash_set",
    "ggml_init_params",
    "ggml_backend_dev_caps",
    "ggml_backend_dev_props",
    "ggml_backend_feature",
    "ggml_backend_reg_i",
    "ggml_backend_reg",
    "ggml_backend_device_i",
    "ggml_backend_device",
    "ggml_backend_buffer_type_i",
    "ggml_backend_buffer_type",
    "ggml_backend_buffer_i",
    "ggml_backend_buffer",
    "ggml_backend_i",
    "ggml_backend",
];

/// Includes what has them.
const HEADERS: &str = "#include \"ggml-backend-impl.h\"\n#include \"ggml-impl.h\"\n";

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("usage: ggml-layouts FOLDER")?;
    let layouts = parse(&bindings(Path::new(&folder))?)?;
    for name in STRUCTS {
        let layout = layouts.get(*name).with_context(|| format!("the headers do not define {name}"))?;
        let fields: Vec<String> = layout.fields.iter().map(|(name, at)| format!("{name} {at}")).collect();
        println!("{name} {} {}", layout.bytes, fields.join(" "));
    }
    Ok(())
}

/// bindgen's text for the structs.
fn bindings(folder: &Path) -> Result<String> {
    let mut builder = bindgen::builder().header_contents("structs.h", HEADERS);
    for part in ["include", "src"] {
        builder = builder.clang_arg(format!("-I{}", folder.join(part).display()));
    }
    for name in STRUCTS {
        builder = builder.allowlist_type(name);
    }
    Ok(builder.layout_tests(true).generate()?.to_string())
}

/// Bytes, and offsets of fields.
#[derive(Default)]
struct Layout {
    bytes: usize,
    fields: Vec<(String, usize)>,
}

/// Reads the assertions that bindgen writes about sizes and offsets:
/// `["Offset of field: ggml_tensor::ne"][::std::mem::offset_of!(ggml_tensor, ne) - 16usize];`
fn parse(text: &str) -> Result<BTreeMap<String, Layout>> {
    let text: String = text.split_whitespace().collect();
    let mut layouts: BTreeMap<String, Layout> = BTreeMap::new();
    for assertion in text.split("[\"").skip(1) {
        let Some((what, rest)) = assertion.split_once("\"]") else { continue };
        let number = || -> Result<usize> {
            let (before, _) = rest.split_once("usize]").context("bindgen writes assertions otherwise")?;
            Ok(before.rsplit('-').next().unwrap_or_default().parse()?)
        };
        if let Some(name) = what.strip_prefix("Sizeof") {
            layouts.entry(name.to_owned()).or_default().bytes = number()?;
        } else if let Some((name, field)) =
            what.strip_prefix("Offsetoffield:").and_then(|what| what.split_once("::"))
        {
            // bindgen's names for fields that are Rust's words.
            let field = field.trim_end_matches('_').to_owned();
            layouts.entry(name.to_owned()).or_default().fields.push((field, number()?));
        }
    }
    ensure!(!layouts.is_empty(), "bindgen writes no assertions about layouts");
    Ok(layouts)
}
