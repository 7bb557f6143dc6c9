//! A short run of the robustness fuzzer, the same every time.

use tt_fuzz::robust::{Limit, run};

#[test]
fn random_code_accesses_and_images_are_answered() {
    let summary = run(1, Limit::Executions(400)).unwrap_or_else(|error| panic!("{error}"));
    println!("{summary}");
    assert_eq!(summary.executions(), 400);
    // Every kind came up, and each met with both answers.
    assert_eq!(summary.kinds.len(), 5);
    for (kind, [all, refused]) in &summary.kinds {
        assert!(*refused > 0 && refused <= all, "{kind}: {refused} of {all}");
    }
}
