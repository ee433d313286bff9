//! What a command would do: `--dry-run`.

use super::{
    theme::{Symbol, Theme, Tone, pad},
    wording,
};
use crate::core::plan::{Action, Plan};

/// A line for each step, and how many there are.
pub fn show(plan: &Plan, theme: Theme) -> String {
    let width = plan.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for step in &plan.steps {
        let name = pad(&step.name, width);
        let name = match step.action {
            Action::Keep => theme.paint(Tone::Faint, name),
            _ => name,
        };
        let action =
            theme.paint(tone(step.action), pad(wording::action(step.action), "restart".len()));
        let reason = wording::plan_reason(step);
        let reason = theme.plain_words(&reason);
        let reason = theme.paint(Tone::Faint, reason);
        text.push_str(format!("{action}  {name}  {reason}").trim_end());
        text.push('\n');
    }
    let changes = plan.steps.iter().filter(|step| step.action != Action::Keep).count();
    let symbol = theme.symbol(Symbol::Arrow);
    text.push_str(&match changes {
        0 => format!("{symbol} nothing to do\n"),
        _ => format!("{symbol} {} would be done; nothing was\n", wording::count(changes, "step")),
    });
    text
}

fn tone(action: Action) -> Tone {
    match action {
        Action::Start | Action::Run | Action::RunIfChanged => Tone::Good,
        Action::Restart | Action::Update => Tone::Warn,
        Action::Stop => Tone::Bad,
        Action::Keep => Tone::Faint,
    }
}
