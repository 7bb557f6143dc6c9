//! Columns that the vector unit's `LaneConfig.BLOCK_DEST_MOV` takes out of moves to and from Dst
//! (`MOVA2D.md`, `MOVB2D.md`, `MOVD2A.md`, `MOVD2B.md`).
//!
//! This is rare, so the whole move is done, and then the columns get their old values back.

use tt_isa::insn::Opcode;

use crate::model::tensix::dst::COLS;
use crate::model::tensix::{Exec, Tensix};

/// Whether columns can be taken out of this instruction.
pub fn applies_to(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::MOVA2D | Opcode::MOVB2D | Opcode::MOVD2A | Opcode::MOVD2B)
}

/// Runs a move; bit i of `blocked` is column i.
pub fn without_columns(t: &mut Tensix, blocked: u16, run: impl FnOnce(&mut Tensix) -> Exec) -> Exec {
    let dst = Box::new(*t.dst.storage());
    let (src_a, src_b) = (*t.src_a.matrix(), *t.src_b.matrix());
    let step = run(t)?;
    t.dst.restore_columns(&dst, blocked);
    for (now, old) in [(t.src_a.matrix_mut(), src_a), (t.src_b.matrix_mut(), src_b)] {
        for (now, old) in now.iter_mut().zip(old) {
            (0..COLS)
                .filter(|column| blocked >> column & 1 != 0)
                .for_each(|column| now[column] = old[column]);
        }
    }
    Ok(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensix::testing;
    use tt_isa::chip::wormhole::config::ALU_FORMAT_SPEC_REG0_SrcA;
    use tt_isa::format::DataFormat;
    use tt_isa::insn::{MOVA2D, MOVD2A, SFPCONFIG, SFPLOADI};
    use tt_isa::sfpu::sfpconfig;

    /// Column 5 is odd column of the lanes' column 2.
    #[test]
    fn a_column_is_left_out() {
        let mut t = crate::model::tensix::testing::tensix();
        let format = ALU_FORMAT_SPEC_REG0_SrcA;
        t.cfg.write(0, format.index, format.value(DataFormat::Bf16 as u32)).unwrap();
        t.src_a.give_to_matrix().unwrap();
        t.src_a.matrix_mut()[0] = [1f32.to_bits(); COLS];
        let lanes = sfpconfig::IMM16_IS_LANE_MASK;
        let words = [
            SFPLOADI { lreg_ind: 0, instr_mod0: 2, imm16: 1 << 10 }.word(),
            SFPCONFIG { imm16_math: 1 << 4, config_dest: sfpconfig::LANE_CONFIG, instr_mod1: lanes }.word(),
            MOVA2D { src: 0, dst: 0, instr_mod: 0, ..MOVA2D::ZERO }.word(),
        ];
        words.into_iter().for_each(|word| t.push(1, word, true));
        testing::run(&mut t, 1, &mut crate::model::tensix::testing::l1()).unwrap();
        let row = t.dst.read16(0);
        assert!((0..COLS).all(|column| (row[column] != 0) == (column != 5)), "{row:x?}");
        // Back to another row of SrcA.
        t.push(1, MOVD2A { src: 4, dst: 0, instr_mod: 0, ..MOVD2A::ZERO }.word(), true);
        testing::run(&mut t, 1, &mut crate::model::tensix::testing::l1()).unwrap();
        let row = t.src_a.matrix()[4];
        assert!((0..COLS).all(|column| (row[column] != 0) == (column != 5)), "{row:x?}");
    }
}
