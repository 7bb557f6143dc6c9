//! `FLASH_ATTN_EXT` of many tokens in one step ([`tt_kernel_abi::attention_rows`]).

use std::cmp::Reverse;

use super::attention::{Operands, scales};
use super::elementwise::sfpu_allowed;
use super::{Unsupported, check};
use tt_kernel_abi::attention_rows::{AttentionRowsParams, FEW_SLOTS, MAX_VALUE_TILES};
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::target::CONGRUENCE;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// The attention of queries (elements, tokens, heads, sequences) to keys and values (elements, positions, heads, sequences): `dst` has elements, heads, tokens,
/// sequences. The mask has positions, tokens, 1, sequences. Elements and positions are whole tiles.
///
/// # Errors
///
/// The reason why the kernels cannot do it.
pub fn attention_rows(operands: Operands, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    if !sfpu_allowed() {
        return Err("attention without the vector unit".into());
    }
    let Operands { q, k, v, mask, scale } = operands;
    check::rows("dst", dst, check::element_type("dst", dst, &[ElementType::F32])?)?;
    let ([key, tokens, heads, batches], [_, positions, kv_heads, _]) = (q.ne, k.ne);
    let whole = [key, v.ne[0], positions].iter().all(|n| n.is_multiple_of(TILE) && *n > 0);
    let shapes = v.ne[1..] == k.ne[1..] && k.ne[0] == key && k.ne[3] == batches;
    let shared = kv_heads > 0 && heads > 0 && heads.is_multiple_of(kv_heads);
    if !whole || !shapes || !shared || tokens == 0 || dst.ne != [v.ne[0], heads, tokens, batches] {
        return Err(format!("queries {:?}, keys {:?}, values {:?}", q.ne, k.ne, v.ne).into());
    }
    is_reached("queries", q, ElementType::F32)?;
    is_reached("keys", k, ElementType::F16)?;
    is_reached("values", v, ElementType::F16)?;
    is_reached("dst", dst, ElementType::F32)?;
    if let Some(mask) = mask {
        is_reached("mask", mask, ElementType::F16)?;
        let covers = mask.ne[0] >= positions && mask.ne[1] >= tokens && mask.ne[2] == 1;
        if !covers || mask.ne[3] == 0 || !batches.is_multiple_of(mask.ne[3]) {
            return Err(format!("mask {:?}", mask.ne).into());
        }
    }
    if !scales(scale) {
        return Err(format!("scale {scale}").into());
    }
    let value_tiles = v.ne[0] / TILE;
    let most = (1..=MAX_VALUE_TILES).rev().find(|tiles| value_tiles.is_multiple_of(*tiles)).unwrap_or(1);
    let tiles = positions / TILE;
    let of = AttentionRowsParams {
        units: 0,
        inner: 0,
        heads: 0,
        groups: 0,
        kv_heads,
        parts: value_tiles / most,
        tokens,
        tiles,
        key_tiles: key / TILE,
        value_tiles: most,
        scale: scale.to_bits(),
        slots: 0,
    };
    let of = AttentionRowsParams { slots: of.room(), ..of };
    check::count("units", &[tokens.div_ceil(TILE), batches, heads, of.parts])?;
    let params = cut(of, heads / kv_heads, batches, cores).ok_or("keys do not fit into L1")?;
    let op = OpDescriptor::of::<kernel::AttentionRows>(&params, cores.min(params.units));
    let mut op = OpDescriptor { src0: *q, src1: *k, dst: *dst, ..op };
    op.more[0] = *v;
    if let Some(mask) = mask {
        op.more[1] = *mask;
    }
    Ok(op)
}

/// Whether rows of elements lie where the NoC brings them to L1 as they are.
fn is_reached(what: &str, view: &TensorView, ty: ElementType) -> Result<(), Unsupported> {
    let aligned = |bytes: &u64| bytes.is_multiple_of(CONGRUENCE.into());
    let side_by_side = view.nb[0] == u64::from(ty.block_bytes());
    // Strides of dimensions of extent 1 do not matter.
    let strides = (1..4).all(|i| view.ne[i] == 1 || aligned(&view.nb[i]));
    match view.element_type() == Some(ty) && side_by_side && aligned(&view.addr) && strides {
        true => Ok(()),
        false => Err(format!("{what} that are not {ty:?}, or with gaps").into()),
    }
}

/// How `shared` heads that share one of the cache are cut into units: as few rounds as can be, and as many heads in a unit, which share what is read, if all positions
/// have room.
fn cut(of: AttentionRowsParams, shared: u32, batches: u32, cores: u32) -> Option<AttentionRowsParams> {
    let fits = |heads: u32| if heads > 1 { of.tiles < of.slots } else { of.slots >= FEW_SLOTS };
    let cuts = (1..=shared).filter(|heads| shared.is_multiple_of(*heads) && fits(*heads)).map(|heads| {
        let groups = shared / heads;
        let inner = batches * of.kv_heads * groups * of.parts;
        AttentionRowsParams { units: inner * of.tokens.div_ceil(TILE), inner, heads, groups, ..of }
    });
    cuts.min_by_key(|cut| (cut.units.div_ceil(cores) * cut.heads, Reverse(cut.heads)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units, heads of a unit, parts of the values' elements.
    fn cut_of(positions: u32, kv_heads: u32, head: u32, tokens: u32) -> Option<[u32; 3]> {
        let q = TensorView::contiguous(ElementType::F32, 0, [head, tokens, 4 * kv_heads, 1]);
        let cache = TensorView::contiguous(ElementType::F16, 0, [head, positions, kv_heads, 1]);
        let dst = TensorView::contiguous(ElementType::F32, 0, [head, 4 * kv_heads, tokens, 1]);
        let operands = Operands { q: &q, k: &cache, v: &cache, mask: None, scale: 0.125 };
        let op = attention_rows(operands, &dst, 72).ok()?;
        let params = op.params_of::<kernel::AttentionRows>()?;
        Some([params.units, params.heads, params.parts])
    }

    #[test]
    fn heads_share_what_is_read_unless_cores_have_nothing_to_do() {
        assert_eq!(cut_of(512, 8, 64, 512), Some([128, 4, 1]));
        assert_eq!(cut_of(512, 8, 64, 128), Some([64, 2, 1]));
        assert_eq!(cut_of(512, 8, 64, 2), Some([32, 1, 1]));
        // Positions that have no room at once.
        assert_eq!(cut_of(8192, 8, 64, 512), Some([512, 1, 1]));
        // One round of two heads, which takes as long as two rounds of one.
        assert_eq!(cut_of(512, 1, 256, 512), Some([64, 2, 2]));
        assert_eq!(cut_of(500, 8, 64, 512), None);
        assert_eq!(cut_of(512, 8, 80, 512), None);
    }
}
