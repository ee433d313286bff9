//! Problems as diagnostics: for people (miette) and for programs (JSON).

use std::{fmt, sync::Arc};

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use serde::Serialize;

use super::{
    draw::draw,
    problem::{Problem, Problems},
    source::{Sources, Span},
};

/// A problem with everything needed to show it.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    severity: Severity,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// The file of the first label.
    source: Option<NamedSource<Arc<str>>>,
    /// The labels in that file; the first is the problem's own place.
    labels: Vec<LabeledSpan>,
    /// The labels in other files.
    related: Vec<Finding>,
    /// All labels, for programs.
    pub(super) places: Vec<Label>,
    /// The text that each of them stands in, and from which byte on.
    pub(super) texts: Vec<(Arc<str>, usize)>,
}

impl Finding {
    /// Whether it is shown and no more.
    pub(super) fn is_warning(&self) -> bool {
        self.severity == Severity::Warning
    }
}

/// A problem as data, for `check --json`. The first label's place is the problem's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemData {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// A short name that stays the same between versions.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The file, as it is called in messages; none for what stands in no file.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// How many characters it concerns.
    pub length: Option<usize>,
    /// What is to be said of which places.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
}

/// A place and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The file, as it is called in messages.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters it concerns.
    pub length: usize,
    /// What is to be said.
    pub label: String,
}

/// How reports are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns to fill.
    pub width: usize,
    /// Whether to use colour.
    pub color: bool,
    /// Whether to use characters beyond ASCII.
    pub unicode: bool,
}

/// A report of [`super::load`] drawn for people.
pub fn render(report: &miette::Report, look: Look) -> String {
    match report.downcast_ref::<Finding>() {
        Some(finding) => draw(finding, look),
        None => format!("{report}\n"),
    }
}

/// A report of [`super::load`] as data; `None` for any other.
pub fn data(report: &miette::Report) -> Option<ProblemData> {
    let finding = report.downcast_ref::<Finding>()?;
    let first = finding.places.first();
    let warning = finding.is_warning();
    Some(ProblemData {
        severity: if warning { "warning" } else { "error" },
        code: finding.code,
        message: finding.message.clone(),
        file: first.map(|place| place.file.clone()),
        line: first.map(|place| place.line),
        column: first.map(|place| place.column),
        length: first.map(|place| place.length),
        labels: finding.places.clone(),
        help: finding.help.clone(),
    })
}

/// The problems as reports, in the order of the files: errors and warnings.
pub(super) fn reports(
    problems: Problems,
    sources: &Sources,
) -> (Vec<miette::Report>, Vec<miette::Report>) {
    let mut all: Vec<(Option<Span>, bool, Finding)> = problems
        .into_vec()
        .iter()
        .map(|problem| {
            let finding = finding(problem, sources);
            (
                problem.describe().labels.first().map(|(span, _)| *span),
                problem.is_warning(),
                finding,
            )
        })
        .collect();
    all.sort_by_key(|(span, _, _)| *span);
    let (warnings, errors): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, warning, _)| *warning);
    let reports = |all: Vec<(Option<Span>, bool, Finding)>| {
        all.into_iter().map(|(_, _, finding)| miette::Report::new(finding)).collect()
    };
    (reports(errors), reports(warnings))
}

fn finding(problem: &Problem, sources: &Sources) -> Finding {
    let description = problem.describe();
    let severity = if problem.is_warning() { Severity::Warning } else { Severity::Error };
    let mut files: Vec<usize> = Vec::new();
    for (span, _) in &description.labels {
        if !files.contains(&span.file) {
            files.push(span.file);
        }
    }
    let of_file = |file: usize| {
        let of_it = description.labels.iter().filter(move |(span, _)| span.file == file);
        of_it.map(|(span, label)| labeled(*span, label)).collect::<Vec<_>>()
    };
    let source = |file: usize| {
        let file = &sources.files[file];
        NamedSource::new(&file.name, Arc::clone(&file.text))
    };
    let related = files.iter().skip(1).map(|file| Finding {
        severity: Severity::Advice,
        code: "",
        message: "and in another file".to_owned(),
        help: None,
        source: Some(source(*file)),
        labels: of_file(*file),
        related: Vec::new(),
        places: Vec::new(),
        texts: Vec::new(),
    });
    Finding {
        severity,
        code: description.code,
        related: related.collect(),
        source: files.first().map(|file| source(*file)),
        labels: files.first().map(|file| of_file(*file)).unwrap_or_default(),
        places: description
            .labels
            .iter()
            .map(|(span, label)| place(*span, label, sources))
            .collect(),
        texts: description
            .labels
            .iter()
            .map(|(span, _)| (Arc::clone(&sources.file(*span).text), span.start))
            .collect(),
        message: description.message,
        help: description.help,
    }
}

fn labeled(span: Span, label: &str) -> LabeledSpan {
    LabeledSpan::new(Some(label.to_owned()), span.start, span.end - span.start)
}

fn place(span: Span, label: &str, sources: &Sources) -> Label {
    let (line, column) = sources.line_column(span);
    let length = sources.text(span).chars().count();
    let file = sources.file(span).name.clone();
    Label { file, line, column, length, label: label.to_owned() }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.code.is_empty()).then(|| Box::new(self.code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let related = self.related.iter().map(|finding| finding as &dyn Diagnostic);
        (!self.related.is_empty()).then(|| Box::new(related) as Box<_>)
    }
}
