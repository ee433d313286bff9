//! Draws what a terminal shows (text with ANSI colours on stdin) as SVG on stdout.

#![expect(clippy::print_stdout, reason = "the picture goes there")]

use std::{
    fmt::Write,
    io::{self, Read},
};

const WIDTH: f64 = 8.4;
const HEIGHT: usize = 19;
const MARGIN: usize = 16;
/// The bar with the three dots.
const TOP: usize = 36;

/// The sixteen colours, for a dark background.
const COLOURS: [&str; 16] = [
    "#3b4252", "#ff6b6b", "#7ddb8a", "#f0c674", "#7fb4ff", "#d4a5ff", "#6fd3d3", "#d8dee9",
    "#7b8496", "#ff8a8a", "#9be8a5", "#ffd98a", "#a3caff", "#e2c2ff", "#93e6e6", "#ffffff",
];

/// How a run of characters looks.
#[derive(Clone, Default, PartialEq)]
struct Style {
    colour: Option<String>,
    bold: bool,
    dim: bool,
}

fn main() -> io::Result<()> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    print!("{}", draw(text.trim_end()));
    Ok(())
}

fn draw(text: &str) -> String {
    let lines: Vec<Vec<(Style, String)>> = styled(text);
    let columns = lines.iter().map(|line| length(line)).max().unwrap_or(0).max(60);
    let width = (columns as f64).mul_add(WIDTH, 2.0 * MARGIN as f64).ceil();
    let height = TOP + lines.len() * HEIGHT + MARGIN;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="stackrun up on a terminal">
<rect width="100%" height="100%" rx="8" fill="#1f2430"/>
<circle cx="20" cy="18" r="5" fill="#ff6b6b"/><circle cx="38" cy="18" r="5" fill="#f0c674"/><circle cx="56" cy="18" r="5" fill="#7ddb8a"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#d8dee9">
"##
    );
    for (row, line) in lines.iter().enumerate() {
        let mut column = 0;
        for (style, run) in line {
            for (offset, piece) in pieces(run) {
                let x = ((column + offset) as f64).mul_add(WIDTH, MARGIN as f64);
                let y = TOP + row * HEIGHT + 14;
                // Given its length, a piece ends where the terminal ended it, in any font.
                let length = piece.chars().count() as f64 * WIDTH;
                let _ = writeln!(
                    svg,
                    r#"<text x="{x:.1}" y="{y}" textLength="{length:.1}"{}>{}</text>"#,
                    style.attributes(),
                    escape(piece)
                );
            }
            column += run.chars().count();
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

impl Style {
    fn attributes(&self) -> String {
        let mut text = String::new();
        if let Some(colour) = &self.colour {
            let _ = write!(text, r#" fill="{colour}""#);
        }
        if self.bold {
            text.push_str(r#" font-weight="bold""#);
        }
        if self.dim {
            text.push_str(r#" opacity="0.6""#);
        }
        text
    }

    /// Takes the parameters of one `ESC [ … m`.
    fn apply(&mut self, parameters: &str) {
        let mut numbers = parameters.split([';', ':']).map(|number| number.parse().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                22 => (self.bold, self.dim) = (false, false),
                30..=37 => self.colour = Some(COLOURS[number - 30].to_owned()),
                90..=97 => self.colour = Some(COLOURS[number - 90 + 8].to_owned()),
                39 => self.colour = None,
                38 => {
                    self.colour = match numbers.next() {
                        Some(5) => numbers.next().map(of_256),
                        Some(2) => {
                            let mut next = || numbers.next().unwrap_or(0);
                            Some(format!("#{:02x}{:02x}{:02x}", next(), next(), next()))
                        }
                        _ => None,
                    }
                }
                _ => {}
            }
        }
    }
}

/// A colour of the palette of 256.
fn of_256(index: usize) -> String {
    match index {
        0..16 => COLOURS[index].to_owned(),
        16..232 => {
            let level = |n: usize| if n == 0 { 0 } else { 55 + 40 * n };
            let cube = index - 16;
            let (r, g, b) = (level(cube / 36), level(cube / 6 % 6), level(cube % 6));
            format!("#{r:02x}{g:02x}{b:02x}")
        }
        _ => format!("#{0:02x}{0:02x}{0:02x}", 8 + 10 * (index.min(255) - 232)),
    }
}

/// Lines of runs, each with its style; a style goes on over the end of a line.
fn styled(text: &str) -> Vec<Vec<(Style, String)>> {
    let mut style = Style::default();
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut runs: Vec<(Style, String)> = Vec::new();
        let mut rest = line.chars();
        while let Some(c) = rest.next() {
            if c != '\x1b' {
                match runs.last_mut() {
                    Some((last, run)) if *last == style => run.push(c),
                    _ => runs.push((style.clone(), c.to_string())),
                }
                continue;
            }
            // Only colours are of interest; every other sequence is passed over.
            if rest.next() == Some('[') {
                let mut parameters = String::new();
                for c in rest.by_ref() {
                    if c.is_ascii_alphabetic() {
                        if c == 'm' {
                            style.apply(&parameters);
                        }
                        break;
                    }
                    parameters.push(c);
                }
            }
        }
        lines.push(runs);
    }
    lines
}

/// What is between the gaps of a run, each piece with its column in it. A gap is more than one
/// blank: browsers make one of several, and drop those at the ends.
fn pieces(run: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let mut column = 0;
    for part in run.split("  ") {
        let piece = part.trim_start_matches(' ');
        let offset = column + part.len() - piece.len();
        let piece = piece.trim_end_matches(' ');
        if !piece.is_empty() {
            pieces.push((offset, piece));
        }
        column += part.chars().count() + 2;
    }
    pieces
}

fn length(line: &[(Style, String)]) -> usize {
    line.iter().map(|(_, run)| run.chars().count()).sum()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
