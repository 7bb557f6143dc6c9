//! Makes a case smaller while the simulators still differ on it in the same way: fewer instructions, less configuration,
//! plainer data, smaller operands.
//!
//! This is delta debugging: pieces of a list are removed, first large ones, then small ones. All candidates of a round run at
//! once, a tile each.

use tt_isa::insn;
use tt_isa::rv32::nop;

use crate::case::{Action, Case, Data};
use crate::compare::{Both, Difference, Verdict};
use crate::run::{RunError, capacity};

/// Rounds after which a case is small enough.
const ROUNDS: usize = 400;

/// The smallest case found that differs as `case` does.
///
/// # Errors
/// See [`RunError`].
pub fn shrink(both: &mut Both, case: &Case, difference: &Difference) -> Result<Case, RunError> {
    let mut best = case.clone();
    let mut rounds = 0;
    loop {
        let before = best.clone();
        for pass in [without_body, without_setup, with_plain_data, with_small_operands] {
            let mut size = usize::MAX;
            while size > 0 && rounds < ROUNDS {
                rounds += 1;
                let (candidates, used) = pass(&best, size);
                match first_that_differs(both, &candidates, difference)? {
                    Some(i) => best = candidates[i].clone(),
                    None => size = used / 2,
                }
            }
        }
        if best == before || rounds >= ROUNDS {
            return Ok(best);
        }
    }
}

fn first_that_differs(
    both: &mut Both,
    candidates: &[Case],
    difference: &Difference,
) -> Result<Option<usize>, RunError> {
    let Some(first) = candidates.first() else { return Ok(None) };
    let at_once = capacity(first.is_pair());
    for (n, some) in candidates.chunks(at_once).enumerate() {
        let cases: Vec<&Case> = some.iter().collect();
        let verdicts = both.judge(&cases)?;
        let same = |verdict: &Verdict| matches!(verdict, Verdict::Differs(other) if other == difference);
        if let Some(i) = verdicts.iter().position(same) {
            return Ok(Some(n * at_once + i));
        }
    }
    Ok(None)
}

/// The list without each piece of so many actions. RISC-V code keeps its length, since branches count on it.
fn without(actions: &[Action], size: usize) -> (Vec<Vec<Action>>, usize) {
    let size = size.min(actions.len());
    if size == 0 {
        return (Vec::new(), 0);
    }
    let idle = Action::Code(nop());
    let candidate = |start: usize| {
        let end = (start + size).min(actions.len());
        let piece = &actions[start..end];
        let instead: Vec<Action> =
            piece.iter().filter(|a| matches!(a, Action::Code(_))).map(|_| idle).collect();
        (instead != piece).then(|| [&actions[..start], &instead, &actions[end..]].concat())
    };
    ((0..actions.len()).step_by(size).filter_map(candidate).collect(), size)
}

fn without_body(case: &Case, size: usize) -> (Vec<Case>, usize) {
    let (lists, size) = without(&case.body, size);
    (lists.into_iter().map(|body| Case { body, ..case.clone() }).collect(), size)
}

fn without_setup(case: &Case, size: usize) -> (Vec<Case>, usize) {
    let (lists, size) = without(&case.setup, size);
    (lists.into_iter().map(|setup| Case { setup, ..case.clone() }).collect(), size)
}

fn with_plain_data(case: &Case, _: usize) -> (Vec<Case>, usize) {
    let mut candidates = Vec::new();
    for (i, fill) in case.fills.iter().enumerate() {
        for data in [Data::Zero, Data::Ones] {
            if !matches!(fill.data, Data::Zero | Data::Ones) {
                let mut fills = case.fills.clone();
                fills[i].data = data;
                candidates.push(Case { fills, ..case.clone() });
            }
        }
    }
    (candidates, 1)
}

fn with_small_operands(case: &Case, _: usize) -> (Vec<Case>, usize) {
    let mut candidates = Vec::new();
    for (i, action) in case.body.iter().enumerate() {
        let Action::Push(word) = *action else { continue };
        let Some(row) = insn::info(word) else { continue };
        for field in row.fields.iter().filter(|field| field.get(word) != 0) {
            let mut body = case.body.clone();
            body[i] = Action::Push(word & !field.mask());
            candidates.push(Case { body, ..case.clone() });
        }
    }
    (candidates, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_left_out_and_code_keeps_its_length() {
        let actions: Vec<Action> = (0..5).map(Action::Push).collect();
        let (lists, size) = without(&actions, usize::MAX);
        assert_eq!((lists, size), (vec![vec![]], 5));
        let (lists, _) = without(&actions, 2);
        assert_eq!(lists[1], [0, 1, 4].map(Action::Push));
        let code = [Action::Code(7), Action::Code(nop())];
        assert_eq!(without(&code, 1).0, [[Action::Code(nop()); 2]]);
    }
}
