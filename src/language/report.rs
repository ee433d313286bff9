//! Problems as diagnostics: for people (miette, drawn by [`Look`]) and for programs (JSON).

use std::{fmt, sync::Arc};

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, Severity, SourceCode, SourceSpan,
    SpanContents,
};
use serde::Serialize;

use super::{
    problem::{Problem, Problems},
    source::{File, Sources, Span},
};

/// A problem of a stack file with everything needed to show it.
#[derive(Debug, Clone)]
pub struct Finding {
    severity: Severity,
    code: &'static str,
    message: String,
    help: Option<String>,
    /// The file of the first label.
    source: Option<Source>,
    /// The labels in that file; the first is the problem's own place.
    labels: Vec<LabeledSpan>,
    /// The labels in other files.
    related: Vec<Finding>,
    /// All labels, for programs.
    places: Vec<Label>,
}

/// A file that was read, whole: which of its lines are shown is for the drawing to decide.
#[derive(Debug, Clone)]
struct Source {
    name: String,
    text: Arc<str>,
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        _span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (data, name) = (self.text.as_bytes(), self.name.clone());
        let whole = SourceSpan::from((0, data.len()));
        let lines = self.text.lines().count();
        Ok(Box::new(MietteSpanContents::new_named(name, data, whole, 0, 0, lines)))
    }
}

impl Finding {
    /// Whether it is shown and no more.
    pub fn is_warning(&self) -> bool {
        self.severity == Severity::Warning
    }

    /// It as data.
    pub fn data(&self) -> ProblemData {
        let first = self.places.first();
        ProblemData {
            severity: if self.is_warning() { "warning" } else { "error" },
            code: self.code,
            message: self.message.clone(),
            file: first.map(|place| place.file.clone()),
            line: first.map(|place| place.line),
            column: first.map(|place| place.column),
            length: first.map(|place| place.length),
            labels: self.places.clone(),
            help: self.help.clone(),
        }
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

/// The problems as findings, in the order of the files: errors and warnings.
pub(super) fn findings(problems: Problems, sources: &Sources) -> (Vec<Finding>, Vec<Finding>) {
    let mut problems = problems.into_vec();
    problems.sort_by_cached_key(|problem| problem.describe().labels.first().map(|(span, _)| *span));
    let all = problems.iter().map(|problem| finding(problem, sources));
    all.partition(|finding| !finding.is_warning())
}

/// So many labels of one problem are shown.
const LABELS: usize = 50;
/// A text of a problem is cut beyond this, in characters: it may quote what somebody wrote.
const LONGEST: usize = 1000;

/// What is shown of a text that may be of any length.
fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn finding(problem: &Problem, sources: &Sources) -> Finding {
    let mut description = problem.describe();
    description.labels.truncate(LABELS);
    for (_, label) in &mut description.labels {
        *label = short(std::mem::take(label));
    }
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
        let File { name, text, .. } = &sources.files[file];
        Source { name: name.clone(), text: Arc::clone(text) }
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
        message: short(description.message),
        help: description.help.map(short),
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
