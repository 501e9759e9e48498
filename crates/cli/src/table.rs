//! Tables: upper-case headings, no frames, numbers to the right; only a terminal shortens, and only free text.

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Words, to the left.
    Left(&'static str),
    /// Numbers, to the right.
    Right(&'static str),
    /// Text that a terminal may shorten.
    Free(&'static str),
}

impl Column {
    const fn heading(self) -> &'static str {
        match self {
            Self::Left(heading) | Self::Right(heading) | Self::Free(heading) => heading,
        }
    }
}

/// Sets a table; `width` is the terminal's, `None` where nobody looks.
pub(crate) fn set(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> String {
    let mut widths: Vec<usize> = (0..columns.len()).map(|at| natural_width(columns[at], rows, at)).collect();
    if let Some(width) = width {
        shorten(columns, &mut widths, width);
    }
    let headings: Vec<String> = columns.iter().map(|column| column.heading().to_owned()).collect();
    let lines = std::iter::once(&headings).chain(rows).map(|row| line(columns, row, &widths));
    lines.collect()
}

fn natural_width(column: Column, rows: &[Vec<String>], at: usize) -> usize {
    let cells = rows.iter().map(|row| row[at].chars().count());
    cells.chain([column.heading().len()]).max().unwrap_or(0)
}

/// Takes what is too much from the free columns, the widest first, down to their heading.
fn shorten(columns: &[Column], widths: &mut [usize], width: usize) {
    let gaps = 2 * columns.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let free = (0..columns.len()).filter(|at| matches!(columns[*at], Column::Free(_)));
        let Some(widest) = free.max_by_key(|at| widths[*at]) else {
            return;
        };
        if widths[widest] <= columns[widest].heading().len().max(4) {
            return;
        }
        widths[widest] -= 1;
    }
}

fn line(columns: &[Column], row: &[String], widths: &[usize]) -> String {
    let cells = columns.iter().zip(row).zip(widths).map(|((column, cell), width)| match column {
        Column::Left(_) => format!("{cell}{}", blanks(cell, *width)),
        Column::Right(_) => format!("{}{cell}", blanks(cell, *width)),
        Column::Free(_) => {
            let cell = cut(cell, *width);
            format!("{cell}{}", blanks(&cell, *width))
        }
    });
    let line = cells.collect::<Vec<_>>().join("  ");
    format!("{}\n", line.trim_end())
}

/// What a cell lacks of its column's width; the widths of `format!` end at 65,535.
fn blanks(cell: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(cell.chars().count()))
}

/// At most so many characters, the last of them `…` where some are missing.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The first line of a text, without control characters.
pub(crate) fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The width of the terminal that shows standard output, if one does.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [Column::Left("ID"), Column::Free("TEXT"), Column::Right("LAST USED")];

    fn rows() -> Vec<Vec<String>> {
        [["fizz-top", "a parser for the old format", "2m"], ["vi-jg", "-", "14s"]]
            .map(|row| row.map(str::to_owned).to_vec())
            .to_vec()
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let table = set(&COLUMNS, &rows(), None);
        let expected = "ID        TEXT                         LAST USED\n\
                        fizz-top  a parser for the old format         2m\n\
                        vi-jg     -                                  14s\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn a_cell_may_have_any_width() {
        let long = "x".repeat(70_000);
        let table = set(&COLUMNS, &[vec!["fizz-top".to_owned(), long.clone(), "2m".to_owned()]], None);
        assert!(table.ends_with(&format!("fizz-top  {long}         2m\n")));
    }

    #[test]
    fn a_terminal_shortens_free_text_alone() {
        let table = set(&COLUMNS, &rows(), Some(34));
        assert!(table.contains("fizz-top  a parser for…         2m\n"), "{table}");
        assert!(set(&COLUMNS, &rows(), Some(5)).contains("fizz-top  a p…         2m\n"));
    }

    #[test]
    fn the_first_line_has_no_control_characters() {
        assert_eq!(first_line("\n\n a\tb\x1b[1m\nc"), "a b [1m");
    }
}
