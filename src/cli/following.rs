//! Logs as they grow, printed as they come.

use std::{io::IsTerminal, time::Duration};

use super::{ambient, error::Error, output::write_out};
use crate::{
    logs::{self, Item, Line, LiveLogs, Log, Marks, Place, Select},
    platform::Subfolder,
    reporters::logs::{LogPrinter, Piece},
};

/// The shortest and the longest pause between two looks at the logs.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));

/// Several logs that are followed together.
#[derive(Debug)]
pub(super) struct Following {
    folder: Subfolder,
    logs: LiveLogs,
    printer: LogPrinter,
    pause: Duration,
    /// It goes to a terminal: a flood cannot be read there, and some of it may be left out.
    on_terminal: bool,
}

impl Following {
    /// From the present end of each log on; logs that appear later from their start.
    pub(super) fn new(
        folder: Subfolder,
        owners: Vec<String>,
        select: Select,
        marks: Option<Marks>,
        printer: LogPrinter,
    ) -> Result<Self, Error> {
        let logs = LiveLogs::new(folder.clone(), owners, select, marks, ambient::now());
        let logs = logs.map_err(|error| unreadable(&folder, error))?;
        let on_terminal = std::io::stdout().is_terminal();
        Ok(Self { folder, logs, printer, pause: PAUSES.0, on_terminal })
    }

    /// Where it began in a log: what is before that is the past.
    pub(super) fn begin(&self, log: &Log) -> Option<Place> {
        Some(self.logs.begin(log))
    }

    /// Continues with the printer that has printed the past.
    pub(super) fn continue_with(&mut self, printer: LogPrinter) {
        self.printer = printer;
    }

    /// Prints what has come since the last time; whether that was anything.
    pub(super) fn print_new(&mut self) -> Result<bool, Error> {
        let items = self.logs.take(ambient::now(), self.on_terminal);
        let items = items.map_err(|error| unreadable(&self.folder, error))?;
        let mut bytes = Vec::new();
        items.for_each(|item| print(&mut self.printer, &mut bytes, &item));
        if bytes.is_empty() {
            return Ok(false);
        }
        write_out(&bytes)?;
        Ok(true)
    }

    /// Ends a line that is unfinished, since nothing more will be printed.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        let mut bytes = Vec::new();
        self.printer.finish(&mut bytes);
        write_out(&bytes)
    }

    /// How long to wait before the next look: longer the longer nothing has come.
    pub(super) fn pause(&mut self, came: bool) -> Duration {
        let longer = self.pause.mul_f64(1.5).min(PAUSES.1);
        self.pause = if came { PAUSES.0 } else { longer };
        self.pause
    }
}

/// Adds an item to what is to be written.
pub(super) fn print(printer: &mut LogPrinter, out: &mut Vec<u8>, item: &Item) {
    match item {
        Item::Line(Line { name, at, text, begins, ends, apart, .. }) => {
            if *apart {
                printer.gap(out);
            }
            printer.piece(out, &Piece { name, at: *at, text, begins: *begins, ends: *ends });
        }
        Item::Mark(mark) => printer.mark(out, mark),
        Item::Spared(spared) => {
            printer.spared(out, &spared.name, spared.at, (spared.lines, spared.files));
        }
    }
}

/// The logs of these services and tasks; without names all.
pub(super) fn wanted(folder: &Subfolder, owners: &[String]) -> Result<Vec<Log>, Error> {
    logs::of(folder, owners).map_err(|error| unreadable(folder, error))
}

fn unreadable(folder: &Subfolder, error: std::io::Error) -> Error {
    Error::Io { path: folder.path(), error }
}
