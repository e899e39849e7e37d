//! Aligned columns.

/// Pads each cell to the width of its column; columns are two spaces apart, lines end without
/// spaces. The widths are counted before `paint` adds its invisible characters.
pub(crate) fn columns(
    rows: &[Vec<String>],
    mut paint: impl FnMut(usize, usize, &str) -> String,
) -> String {
    // a break in a cell would be a row that nobody here has written
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| in_one_line(cell)).collect()).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for (n, row) in rows.iter().enumerate() {
        let last = row.iter().rposition(|c| !c.is_empty()).unwrap_or(0);
        for (column, cell) in row.iter().enumerate().take(last + 1) {
            out.push_str(&paint(n, column, cell));
            if column < last {
                let pad =
                    widths.get(column).copied().unwrap_or(0).saturating_sub(cell.chars().count());
                out.push_str(&" ".repeat(pad + 2));
            }
        }
        out.push('\n');
    }
    out
}

fn in_one_line(cell: &str) -> String {
    cell.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_makes_no_row_of_its_own() {
        let rows = [vec!["web".to_owned(), "x\ndomain/db  in sync".to_owned()]];
        let shown = columns(&rows, |_, _, cell| cell.to_owned());
        assert_eq!(shown, "web  x\\ndomain/db  in sync\n");
    }
}
