//! The drawing area as cells: series over thresholds, with marks and labels where they hide least.

use unicode_width::UnicodeWidthStr;

use crate::output::plot::raster::{Area, Layer};
use crate::output::plot::{Ink, MARKS};

/// A series gets a mark about this often, in columns.
const MARK_EVERY: usize = 26;

/// How far a mark moves to find a cell of its own, in columns.
const MARK_REACH: usize = 4;

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Blank,
    Dash,
    /// A moment, from top to bottom.
    Moment,
    Dots(char),
    /// Stands for a series, in one of its cells.
    Mark(char),
    Text(String),
    /// Hidden behind a text that begins further left.
    Covered,
}

impl Cell {
    fn is_taken(&self) -> bool {
        !matches!(self, Self::Blank | Self::Dash | Self::Moment)
    }

    fn is_label(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Covered)
    }
}

/// The drawing area of a plot.
#[derive(Debug)]
pub(super) struct Grid {
    area: Area,
    cells: Vec<(Cell, Ink)>,
}

impl Grid {
    /// The layers on top of each other. Where series share a braille cell all their dots are shown, in
    /// the ink of the one with most; in ASCII their letters take turns.
    pub(super) fn new(area: Area, layers: &[Layer]) -> Self {
        let mut cells = Vec::with_capacity(area.columns * area.rows);
        for row in 0..area.rows {
            for column in 0..area.columns {
                let there: Vec<usize> = (0..layers.len()).filter(|one| layers[*one].bits(column, row) > 0).collect();
                cells.push(match there.as_slice() {
                    [] => (Cell::Blank, Ink::Plain),
                    several if area.coarse => {
                        let one = several[column % several.len()];
                        (Cell::Dots(MARKS[one % MARKS.len()]), Ink::Series(one))
                    }
                    several => {
                        let bits = |one: usize| layers[one].bits(column, row);
                        let all = several.iter().fold(0, |all, one| all | bits(*one));
                        let most = several
                            .iter()
                            .copied()
                            .rev()
                            .max_by_key(|one| bits(*one).count_ones())
                            .unwrap_or(several[0]);
                        (Cell::Dots(braille(all)), Ink::Series(most))
                    }
                });
            }
        }
        Self { area, cells }
    }

    /// Writes the letter of each series on its line: at its right end, and now and then on the way.
    pub(super) fn mark(&mut self, layers: &[Layer]) {
        for (one, layer) in layers.iter().enumerate() {
            let occupied = |column: &usize| (0..self.area.rows).any(|r| layer.bits(*column, r) > 0);
            let Some(end) = (0..self.area.columns).rev().find(occupied) else {
                continue;
            };
            // Each series begins elsewhere, so that letters of parallel lines do not pile up.
            let first = MARK_EVERY * (2 * one + 1) / (2 * layers.len());
            let way = (first..end.saturating_sub(MARK_REACH)).step_by(MARK_EVERY);
            let mut placed = self.mark_near(one, layers, end, MARK_REACH);
            for column in way {
                placed |= self.mark_near(one, layers, column, MARK_REACH);
            }
            if !placed {
                self.mark_near(one, layers, end, self.area.columns);
            }
        }
    }

    /// Writes one mark near `column`, in a cell of the series that is best its own; says whether it did.
    fn mark_near(&mut self, one: usize, layers: &[Layer], column: usize, reach: usize) -> bool {
        let last = self.area.columns - 1;
        let near = column.saturating_sub(reach)..=(column + reach).min(last);
        let best = near
            .flat_map(|x| (0..self.area.rows).map(move |y| (x, y)))
            .filter(|(x, y)| layers[one].bits(*x, *y) > 0 && matches!(self.cell(*x, *y), Cell::Dots(_)))
            .min_by_key(|(x, y)| {
                let shared = layers.iter().filter(|layer| layer.bits(*x, *y) > 0).count();
                (shared, x.abs_diff(column))
            });
        let Some((x, y)) = best else {
            return false;
        };
        let mark = MARKS[one % MARKS.len()];
        self.cells[y * self.area.columns + x] = (Cell::Mark(mark), Ink::Series(one));
        true
    }

    /// Makes a lone point visible, which as one braille dot would be overlooked.
    pub(super) fn dot(&mut self, column: usize, row: usize, one: usize) {
        let cell = &mut self.cells[row * self.area.columns + column];
        if matches!(cell.0, Cell::Dots(_)) {
            *cell = (Cell::Mark('•'), Ink::Series(one));
        }
    }

    /// Draws a dashed line behind the series.
    pub(super) fn threshold(&mut self, row: usize) {
        for column in 0..self.area.columns {
            let cell = &mut self.cells[row * self.area.columns + column];
            if cell.0 == Cell::Blank && !(self.area.coarse && column % 2 > 0) {
                *cell = (Cell::Dash, Ink::Threshold);
            }
        }
    }

    /// Draws a dotted line from top to bottom behind the series.
    pub(super) fn moment(&mut self, column: usize) {
        for row in 0..self.area.rows {
            let cell = &mut self.cells[row * self.area.columns + column];
            if matches!(cell.0, Cell::Blank | Cell::Dash) {
                *cell = (Cell::Moment, Ink::Threshold);
            }
        }
    }

    /// Writes a label into `row`, or into a row beside it, as far right as it hides no series. Where that is
    /// nowhere it hides some: a line without a name would be worse. It never hides another label.
    pub(super) fn label(&mut self, row: usize, text: &str) {
        let width = text.width();
        if width == 0 || width > self.area.columns {
            return;
        }
        let last = self.area.columns - width;
        let beside = [Some(row), row.checked_sub(1), Some(row + 1)];
        let rows = beside.into_iter().flatten();
        let mut rows = rows.filter(|row| *row < self.area.rows);
        let find = |row: usize, bad: fn(&Cell) -> bool| {
            // One cell more, so that a series does not touch the label's end.
            let good = |start: &usize| {
                let end = (start + width).min(self.area.columns - 1);
                (*start..=end).all(|column| !bad(self.cell(column, row)))
            };
            Some((row, (0..=last).rev().find(good)?))
        };
        let hides_nothing = rows.find_map(|row| find(row, Cell::is_taken));
        let Some((row, start)) = hides_nothing.or_else(|| find(row, Cell::is_label)) else {
            return;
        };
        for column in start..start + width {
            self.cells[row * self.area.columns + column] = (Cell::Covered, Ink::Threshold);
        }
        self.cells[row * self.area.columns + start].0 = Cell::Text(text.to_owned());
    }

    /// One row as runs of the same ink, without the spaces at its end.
    pub(super) fn runs(&self, row: usize) -> Vec<(String, Ink)> {
        let cells = &self.cells[row * self.area.columns..][..self.area.columns];
        let mut runs: Vec<(String, Ink)> = Vec::new();
        let used = cells.iter().rposition(|(cell, _)| *cell != Cell::Blank);
        for (cell, ink) in &cells[..used.map_or(0, |last| last + 1)] {
            if runs.last().is_none_or(|(_, before)| before != ink) {
                runs.push((String::new(), *ink));
            }
            let Some((run, _)) = runs.last_mut() else {
                continue;
            };
            match cell {
                Cell::Blank => run.push(' '),
                Cell::Dash => run.push(if self.area.coarse { '-' } else { '╌' }),
                Cell::Moment => run.push(if self.area.coarse { ':' } else { '┊' }),
                Cell::Dots(glyph) | Cell::Mark(glyph) => run.push(*glyph),
                Cell::Text(text) => run.push_str(text),
                Cell::Covered => {}
            }
        }
        runs
    }

    fn cell(&self, column: usize, row: usize) -> &Cell {
        &self.cells[row * self.area.columns + column].0
    }
}

/// The braille character with these dots (U+2800 and the 255 that follow).
fn braille(bits: u8) -> char {
    char::from_u32(0x2800 + u32::from(bits)).unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(grid: &Grid) -> Vec<String> {
        (0..grid.area.rows).map(|row| grid.runs(row).into_iter().map(|(text, _)| text).collect()).collect()
    }

    /// A coarse layer that holds the cells given as `#`.
    fn layer(rows: &[&str]) -> (Area, Layer) {
        let area = Area { columns: rows[0].len(), rows: rows.len(), coarse: true };
        let mut layer = Layer::new(area);
        for (y, row) in rows.iter().enumerate() {
            for (x, _) in row.match_indices('#') {
                layer.set((x, y));
            }
        }
        (area, layer)
    }

    #[test]
    fn shared_cells_take_turns() {
        let (area, a) = layer(&["####....", "........"]);
        let (_, b) = layer(&["..######", "........"]);
        let mut grid = Grid::new(area, &[a, b]);
        assert_eq!(text(&grid), ["aaabbbbb", ""]);
        grid.threshold(1);
        grid.label(1, "slo");
        assert_eq!(text(&grid), ["aaabbbbb", "- - -slo"]);
        let runs = [("aaa", Ink::Series(0)), ("bbbbb", Ink::Series(1))];
        assert_eq!(grid.runs(0), runs.map(|(text, ink)| (text.to_owned(), ink)));
    }

    #[test]
    fn a_label_without_room_hides_series_but_no_label() {
        let (area, a) = layer(&["########"]);
        let mut grid = Grid::new(area, &[a]);
        for text in ["one", "two", "three"] {
            grid.label(0, text);
        }
        assert_eq!(text(&grid), ["atwoaone"]);
    }

    #[test]
    fn labels_hide_no_series() {
        let (area, a) = layer(&["........", ".....###", "........"]);
        let mut grid = Grid::new(area, &[a]);
        grid.threshold(1);
        grid.label(1, "slo");
        grid.label(1, "東京");
        grid.label(1, "much too long");
        assert_eq!(text(&grid), ["    東京", "-slo-aaa", ""]);
    }
}
