//! Problems of a stack file: as pictures for people, as data for programs.

use std::path::Path;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Report, Severity};
use serde_json::{Value, json};

use super::theme::Theme;

/// More than this many are counted, not shown.
const SHOWN: usize = 50;

/// Each problem with its place in the file.
pub fn show(problems: &[Report], theme: Theme) -> Vec<String> {
    let look = match (theme.unicode, theme.color) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, true) => GraphicalTheme::ascii(),
        (false, false) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(look).with_links(false).with_width(100);
    let mut texts: Vec<String> = Vec::new();
    for problem in problems.iter().take(SHOWN) {
        let mut text = String::new();
        match handler.render_report(&mut text, problem.as_ref()) {
            Ok(()) => texts.push(text.trim_end().to_owned()),
            Err(_) => texts.push(problem.to_string()),
        }
    }
    if problems.len() > SHOWN {
        texts.push(format!("and {} more", problems.len() - SHOWN));
    }
    texts
}

/// All problems as data: `check --json`.
pub fn json(file: &Path, problems: &[Report]) -> Value {
    let problems: Vec<Value> = problems.iter().map(|problem| of(problem.as_ref())).collect();
    let ok = !problems.iter().any(|problem| problem["severity"] == "error");
    json!({ "format": 1, "file": file, "ok": ok, "problems": problems })
}

fn of(problem: &dyn Diagnostic) -> Value {
    let severity = match problem.severity() {
        None | Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Advice) => "advice",
    };
    let labels: Vec<LabeledSpan> = problem.labels().into_iter().flatten().collect();
    let places: Vec<Value> = labels.iter().map(|label| place(problem, label)).collect();
    let first = places.first().cloned().unwrap_or(Value::Null);
    let related: Vec<Value> = problem.related().into_iter().flatten().map(of).collect();
    let mut value = json!({
        "severity": severity,
        "message": problem.to_string(),
        "code": problem.code().map(|code| code.to_string()),
        "help": problem.help().map(|help| help.to_string()),
        "file": first["file"],
        "line": first["line"],
        "column": first["column"],
        "labels": places,
    });
    if !related.is_empty() {
        value["related"] = related.into();
    }
    value
}

/// Where a label points: lines and columns count from 1.
fn place(problem: &dyn Diagnostic, label: &LabeledSpan) -> Value {
    let source = problem.source_code();
    let span = source.and_then(|source| source.read_span(label.inner(), 0, 0).ok());
    let (file, line, column) = match &span {
        Some(span) => (span.name(), Some(span.line() + 1), Some(span.column() + 1)),
        None => (None, None, None),
    };
    json!({
        "text": label.label(),
        "file": file,
        "line": line,
        "column": column,
        "offset": label.offset(),
        "length": label.len(),
    })
}
