//! Everything that is shown: the board, progress, plain lines, tables, JSON.
