//! One series as dots: lines between its points, broken where samples are missing. Knows dots and
//! cells only, neither values nor characters.

use chrono::{DateTime, Utc};

/// The bit of each dot of a braille cell, by row and column (Unicode 15, section 21.1).
const BRAILLE: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// A step longer than this many median steps is a gap.
const GAP: f64 = 1.75;

/// The size of the drawing area: cells of a terminal, and dots in a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Whether a cell is one dot, instead of braille's 2 × 4.
    pub(super) coarse: bool,
}

impl Area {
    fn cell(&self) -> (usize, usize) {
        if self.coarse { (1, 1) } else { (2, 4) }
    }

    /// The dot column of a share of the width, 0 at the left.
    pub(super) fn x(&self, share: f64) -> usize {
        dot(share, self.columns * self.cell().0)
    }

    /// The dot row of a share of the height, 0 at the bottom; dot rows are counted from the top.
    pub(super) fn y(&self, share: f64) -> usize {
        dot(1.0 - share, self.rows * self.cell().1)
    }

    /// The column of cells of a share of the width.
    pub(super) fn column(&self, share: f64) -> usize {
        self.x(share) / self.cell().0
    }

    /// The row of cells of a share of the height.
    pub(super) fn row(&self, share: f64) -> usize {
        self.y(share) / self.cell().1
    }
}

fn dot(share: f64, dots: usize) -> usize {
    let last = dots.saturating_sub(1);
    ((share * last as f64).round() as usize).min(last)
}

/// The dots of one series: for each cell, row by row, the bits that are set.
#[derive(Debug)]
pub(super) struct Layer {
    area: Area,
    cells: Vec<u8>,
}

impl Layer {
    pub(super) fn new(area: Area) -> Self {
        Self { area, cells: vec![0; area.columns * area.rows] }
    }

    /// The bits of a cell; 0 where nothing is drawn.
    pub(super) fn bits(&self, column: usize, row: usize) -> u8 {
        self.cells[row * self.area.columns + column]
    }

    /// Draws points in the order of time. `place` gives the dot of a value, none for a gap.
    pub(super) fn trace(
        &mut self,
        points: &[(DateTime<Utc>, f64)],
        place: impl Fn(DateTime<Utc>, f64) -> Option<(usize, usize)>,
    ) {
        let longest = median_step(points).map(|step| step * GAP);
        let mut previous: Option<(DateTime<Utc>, (usize, usize))> = None;
        for &(at, value) in points {
            let here = place(at, value);
            if let Some(to) = here {
                let from = previous
                    .filter(|(before, _)| longest.is_none_or(|most| seconds(*before, at) <= most))
                    .map_or(to, |(_, from)| from);
                self.line(from, to);
            }
            previous = here.map(|dot| (at, dot));
        }
    }

    /// Sets one dot.
    pub(super) fn set(&mut self, (x, y): (usize, usize)) {
        let (across, down) = self.area.cell();
        let bit = if self.area.coarse { 1 } else { BRAILLE[y % 4][x % 2] };
        self.cells[(y / down) * self.area.columns + x / across] |= bit;
    }

    /// A straight line by Bresenham's algorithm (IBM Systems Journal 4(1), 1965), both ends included.
    fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let (mut x, mut y) = (from.0 as i64, from.1 as i64);
        let (end_x, end_y) = (to.0 as i64, to.1 as i64);
        let (width, height) = ((end_x - x).abs(), -(end_y - y).abs());
        let (right, down) = ((end_x - x).signum(), (end_y - y).signum());
        let mut error = width + height;
        loop {
            self.set((x as usize, y as usize));
            if (x, y) == (end_x, end_y) {
                return;
            }
            let twice = 2 * error;
            if twice >= height {
                error += height;
                x += right;
            }
            if twice <= width {
                error += width;
                y += down;
            }
        }
    }
}

/// The median time between neighbouring points in seconds; none for fewer than two instants.
pub(super) fn median_step(points: &[(DateTime<Utc>, f64)]) -> Option<f64> {
    let mut steps: Vec<f64> =
        points.windows(2).map(|pair| seconds(pair[0].0, pair[1].0)).filter(|step| *step > 0.0).collect();
    steps.sort_by(f64::total_cmp);
    // The lower of two middles: with as many gaps as steps, the step is what was meant.
    (!steps.is_empty()).then(|| steps[(steps.len() - 1) / 2])
}

/// The seconds from one instant to another.
pub(super) fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_milliseconds() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(second: i64, value: f64) -> (DateTime<Utc>, f64) {
        (DateTime::from_timestamp(second, 0).expect("in range"), value)
    }

    fn drawn(points: &[(DateTime<Utc>, f64)]) -> Vec<String> {
        let area = Area { columns: 9, rows: 3, coarse: true };
        let mut layer = Layer::new(area);
        layer.trace(points, |at, value| value.is_finite().then(|| (at.timestamp() as usize, 2 - value as usize)));
        (0..3).map(|row| (0..9).map(|column| if layer.bits(column, row) > 0 { '#' } else { '.' }).collect()).collect()
    }

    #[test]
    fn joins_neighbours_and_breaks_at_gaps() {
        let slope = [point(0, 0.0), point(4, 2.0), point(8, 0.0)];
        assert_eq!(drawn(&slope), ["...##....", ".##..##..", "#......##"]);
        let missing = [point(0, 1.0), point(2, 1.0), point(6, 1.0), point(8, 1.0)];
        assert_eq!(drawn(&missing)[1], "###...###");
        let nan = [point(0, 1.0), point(2, f64::NAN), point(4, 1.0), point(6, 1.0)];
        assert_eq!(drawn(&nan)[1], "#...###..");
        assert_eq!(drawn(&[point(3, 1.0)])[1], "...#.....");
        assert_eq!(drawn(&[point(3, 0.0), point(3, 2.0)]), ["...#.....", "...#.....", "...#....."]);
    }

    #[test]
    fn braille_dots_have_their_bits() {
        let area = Area { columns: 1, rows: 1, coarse: false };
        let mut layer = Layer::new(area);
        layer.line((0, 0), (0, 3));
        assert_eq!(layer.bits(0, 0), 0x47);
        layer.line((1, 3), (1, 0));
        assert_eq!(layer.bits(0, 0), 0xff);
    }
}
