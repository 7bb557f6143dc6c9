//! What `tests/native/nodes.cpp` writes: the nodes of a model's graphs in the order of execution, with their values.
//!
//! Each is a line `NAME\tOPERATOR\tBUFFER\tCOUNT` and COUNT little-endian 32-bit floats.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// A node of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// ggml's name of the result.
    pub name: String,
    /// Operator, or function of a unary or gated one.
    pub operator: String,
    /// Buffer that holds the result, by the name of its type ("CPU", "TT0").
    pub buffer: String,
    /// Its elements, dimension 0 first.
    pub values: Vec<f32>,
}

/// All nodes of a file.
///
/// # Errors
/// It cannot be read, or is not what the program writes.
pub fn read(path: &Path) -> Result<Vec<Node>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&bytes).with_context(|| path.display().to_string())
}

fn parse(mut rest: &[u8]) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').context("a line without an end")?;
        let fields: Vec<&str> = std::str::from_utf8(&rest[..end])?.split('\t').collect();
        ensure!(fields.len() == 4, "a line of {} fields", fields.len());
        let count: usize = fields[3].parse()?;
        let data = rest.get(end + 1..end + 1 + 4 * count).context("the file ends within a node")?;
        nodes.push(Node {
            name: fields[0].to_owned(),
            operator: fields[1].to_owned(),
            buffer: fields[2].to_owned(),
            values: data.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect(),
        });
        rest = &rest[end + 1 + 4 * count..];
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read() {
        let bytes =
            [b"a (view)\tADD\tTT0\t1\n".as_slice(), &2.5f32.to_le_bytes(), b"b\tSILU\tCPU\t0\n"].concat();
        let found = parse(&bytes).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].values.as_slice()), ("a (view)", [2.5].as_slice()));
        assert_eq!((found[1].operator.as_str(), found[1].buffer.as_str()), ("SILU", "CPU"));
        assert!(parse(&bytes[..22]).is_err());
    }
}
