//! `FLASH_ATTN_EXT` of single tokens in two steps: parts of the positions, and the parts put together ([`tt_kernel_abi::attention`]).

use std::cmp::Reverse;

use super::elementwise::sfpu_allowed;
use super::{Unsupported, check};
use tt_kernel_abi::attention::{
    ALL_ROOM, AttentionParams, MAX_PART_TILES, MAX_ROWS, MERGE_ROWS, MergeParams, Partial, ROOM,
};
use tt_kernel_abi::matmul::{F16_BIAS, TILE};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::target::CONGRUENCE;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// Operands of an attention: queries (elements, 1, heads, sequences), keys and values (elements, positions, heads, sequences), a mask (positions, tokens, 1,
/// sequences).
#[derive(Clone, Copy)]
pub struct Operands<'a> {
    /// Queries, FP32.
    pub q: &'a TensorView,
    /// Keys, F16.
    pub k: &'a TensorView,
    /// Values, F16.
    pub v: &'a TensorView,
    /// Mask, F16.
    pub mask: Option<&'a TensorView>,
    /// What scores are multiplied with.
    pub scale: f32,
}

/// Whether kernels can scale queries by it: they become 2^F16_BIAS as large, by the exponent of the scale.
pub(super) fn scales(scale: f32) -> bool {
    (64..254 - F16_BIAS).contains(&(scale.to_bits() >> 23 & 0xFF))
}

/// An attention that is cut into units.
#[derive(Clone, Copy)]
pub struct Attention<'a> {
    operands: Operands<'a>,
    params: AttentionParams,
    cores: u32,
}

/// Whether rows of F16 lie side by side where the NoC brings them to L1 as they are.
fn is_cache(view: &TensorView) -> bool {
    let aligned = |bytes: &u64| bytes.is_multiple_of(CONGRUENCE.into());
    view.element_type() == Some(ElementType::F16)
        && view.nb[0] == 2
        && aligned(&view.addr)
        && view.nb[1..].iter().all(aligned)
        // A group's heads are one piece of a position's row.
        && (view.ne[2] == 1 || view.nb[2] == 2 * u64::from(view.ne[0]))
}

impl<'a> Attention<'a> {
    /// How the work is cut for up to `cores` workers.
    ///
    /// # Errors
    ///
    /// The reason why the kernels cannot do it.
    pub fn new(operands: Operands<'a>, cores: u32) -> Result<Self, Unsupported> {
        check::cores(cores)?;
        let Operands { q, k, v, mask, scale } = operands;
        let ([hdk, tokens, heads, batches], [_, positions, kv_heads, _]) = (q.ne, k.ne);
        if !sfpu_allowed() || tokens != 1 {
            return Err(format!("attention of {tokens} tokens").into());
        }
        let aligned = |bytes: u64| bytes.is_multiple_of(CONGRUENCE.into());
        let dense = q.nb[0] == 4 && (heads == 1 || q.nb[2] == 4 * u64::from(hdk));
        let reached = aligned(q.addr) && (batches == 1 || aligned(q.nb[3]));
        if q.element_type() != Some(ElementType::F32) || !dense || !reached {
            return Err("queries that do not lie side by side".into());
        }
        if !is_cache(k) || !is_cache(v) {
            return Err("keys and values that are not F16, or with gaps".into());
        }
        let shapes = v.ne[1..] == k.ne[1..] && k.ne[0] == hdk && k.ne[3] == batches;
        let whole = [hdk, v.ne[0], positions].iter().all(|n| n.is_multiple_of(TILE) && *n > 0);
        if !shapes || !whole || kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(format!("queries {:?}, keys {:?}, values {:?}", q.ne, k.ne, v.ne).into());
        }
        let rows = heads / kv_heads;
        if rows > MAX_ROWS || !scales(scale) {
            return Err(format!("{rows} rows that share keys, scale {scale}").into());
        }
        if let Some(mask) = mask {
            let reached =
                mask.nb[0] == 2 && aligned(mask.addr) && mask.nb[3].is_multiple_of(CONGRUENCE.into());
            let shape =
                mask.ne[0] >= positions && mask.ne[2] == 1 && batches.is_multiple_of(mask.ne[3].max(1));
            if mask.element_type() != Some(ElementType::F16) || !reached || !shape || mask.ne[3] == 0 {
                return Err(format!("mask {:?}", mask.ne).into());
            }
        }
        let of = AttentionParams {
            units: 0,
            parts: 0,
            groups: 0,
            heads: kv_heads,
            rows,
            tiles: positions / TILE,
            part_tiles: 0,
            key_tiles: hdk / TILE,
            value_tiles: v.ne[0] / TILE,
            scale: scale.to_bits(),
            sets: 1,
            together: u32::from(batches == 1),
            room: ROOM,
        };
        // A long cache takes the ring's room, too.
        let cut =
            [ROOM, ALL_ROOM].into_iter().find_map(|room| cut(AttentionParams { room, ..of }, batches, cores));
        let params = cut.ok_or("keys of a part do not fit into L1")?;
        check::count("units", &[params.parts, params.groups, batches])?;
        check::count("faces", &[params.partial().faces + 1, params.parts, kv_heads, batches, 128])?;
        Ok(Self { operands, params, cores })
    }

    fn partial(&self) -> Partial {
        self.params.partial()
    }

    /// Heads of the cache in all sequences.
    fn heads(&self) -> u32 {
        let [_, _, heads, batches] = self.operands.k.ne;
        heads * batches
    }

    /// The form of what is between the two steps. (Its address is none.)
    pub fn between(&self) -> TensorView {
        let floats = (self.partial().all_bytes(self.heads()) / 4) as u32;
        TensorView::contiguous(ElementType::F32, 0, [floats, 1, 1, 1])
    }

    /// Descriptors of the two steps: `between` is where [`Self::between`] is, `dst` has elements, heads, 1, sequences.
    ///
    /// # Errors
    ///
    /// The reason why the kernels cannot do it.
    pub fn steps(&self, between: &TensorView, dst: &TensorView) -> Result<[OpDescriptor; 2], Unsupported> {
        let Operands { q, k, v, mask, .. } = self.operands;
        check::rows("dst", dst, check::element_type("dst", dst, &[ElementType::F32])?)?;
        let aligned = |bytes: u64| bytes.is_multiple_of(16);
        if dst.ne != [v.ne[0], q.ne[2], 1, q.ne[3]] || !aligned(dst.addr) || !aligned(dst.nb[1] | dst.nb[3]) {
            return Err(format!("a result of shape {:?}", dst.ne).into());
        }
        let op = OpDescriptor::of::<kernel::Attention>(&self.params, self.cores.min(self.params.units));
        let mut parts = OpDescriptor { src0: *q, src1: *k, dst: *between, ..op };
        parts.more[0] = *v;
        if let Some(mask) = mask {
            parts.more[1] = *mask;
        }
        let partial = self.partial();
        let params = MergeParams {
            units: partial.faces * self.heads(),
            parts: partial.parts,
            faces: partial.faces,
            rows: self.params.rows,
            heads: k.ne[2],
        };
        let op = OpDescriptor::of::<kernel::AttentionMerge>(&params, self.cores.min(params.units));
        Ok([parts, OpDescriptor { src0: *between, dst: *dst, ..op }])
    }
}

/// A piece of a position's row takes as long to bring as one of so many bytes, if it is shorter: in the timed mode, a 1B model with 4096 positions
/// takes 76 us with pieces of 128 bytes, 52 with 256, and 54 with 512, where a core has more heads.
const SHORTEST_PIECE: u32 = 256;

/// The cut that takes the busiest core least, if there is one that fits: in tiles that it multiplies, longer where they come in short pieces, and one for each of its heads.
fn cut(of: AttentionParams, batches: u32, cores: u32) -> Option<AttentionParams> {
    let most_parts = MERGE_ROWS / of.padded_rows();
    let heads = of.heads;
    let cuts = (1..=heads).filter(|groups| heads.is_multiple_of(*groups)).flat_map(|groups| {
        (of.tiles.div_ceil(most_parts)..=MAX_PART_TILES.min(of.tiles)).filter_map(move |part_tiles| {
            let parts = of.tiles.div_ceil(part_tiles);
            let units = parts.checked_mul(groups)?.checked_mul(batches)?;
            let sets = if units > cores { 2 } else { 1 };
            let cut = AttentionParams {
                units,
                parts,
                groups,
                heads: heads / groups,
                part_tiles,
                sets,
                together: u32::from(of.together != 0 && sets == 1),
                ..of
            };
            cut.fits().then_some(cut)
        })
    });
    let cost = |cut: &AttentionParams| {
        let slower = (SHORTEST_PIECE / cut.key_bytes()).max(1);
        let rounds = cut.units.div_ceil(cores);
        (rounds * cut.heads * (cut.part_tiles * slower + 1), Reverse(cut.groups))
    };
    cuts.min_by_key(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_of(positions: u32, heads: u32, head: u32, batches: u32) -> Option<[u32; 6]> {
        let q = TensorView::contiguous(ElementType::F32, 0, [head, 1, 4 * heads, batches]);
        let cache = TensorView::contiguous(ElementType::F16, 0, [head, heads, positions, batches]);
        let cache = TensorView {
            ne: [head, positions, heads, batches],
            nb: [cache.nb[0], cache.nb[2], cache.nb[1], cache.nb[3]],
            ..cache
        };
        let operands = Operands { q: &q, k: &cache, v: &cache, mask: None, scale: 0.125 };
        let params = Attention::new(operands, 72).ok()?.params;
        Some([params.parts, params.groups, params.part_tiles, params.sets, params.together, params.room])
    }

    #[test]
    fn positions_and_heads_are_cut_for_all_cores() {
        assert_eq!(cut_of(512, 8, 64, 1), Some([16, 4, 1, 1, 1, ROOM]));
        assert_eq!(cut_of(4096, 8, 64, 1), Some([16, 4, 8, 1, 1, ROOM]));
        assert_eq!(cut_of(2048, 8, 128, 1), Some([8, 8, 8, 1, 1, ROOM]));
        // The ring of weights leaves room for so many; more take its room, too.
        assert_eq!(cut_of(1 << 14, 8, 256, 1).map(|cut| cut[5]), Some(ROOM));
        assert_eq!(cut_of(24 << 10, 8, 256, 1).map(|cut| cut[5]), Some(ALL_ROOM));
        // There are 64 parts at most, whose scores are in half of Dst.
        let most = 64 * MAX_PART_TILES * TILE;
        assert!(cut_of(most, 8, 128, 1).is_some() && cut_of(most + TILE, 8, 128, 1).is_none());
        assert!(cut_of(500, 8, 64, 1).is_none());
    }
}
