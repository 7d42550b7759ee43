//! A drawing of one measurement, as SVG.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
/// Room for the numbers at the axes and for the title.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Of the lines, in turn; each dark enough on white.
const COLOURS: [&str; 4] = ["#1b6ca8", "#b3402a", "#4d7c0f", "#6b4fa0"];
/// Lines across.
const STEPS: u8 = 5;

/// Lines over numbers that double, from 0 upwards.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Above it.
    pub title: &'static str,
    /// What is to the right.
    pub across: &'static str,
    /// What is upwards.
    pub upwards: &'static str,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line and its name.
#[derive(Clone, Debug)]
pub struct Line {
    /// As the legend says it.
    pub name: &'static str,
    /// Across, more than 0, and upwards.
    pub points: Vec<(f64, f64)>,
}

/// What is at the edges of the drawing.
struct Frame {
    from: f64,
    to: f64,
    top: f64,
}

impl Plot {
    /// The drawing.
    #[must_use]
    pub fn svg(&self) -> String {
        let frame = Frame::around(&self.lines);
        let mut svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">"#
        );
        svg.push_str("\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        text(&mut svg, WIDTH / 2.0, TOP / 2.0, "middle", self.title);
        text(&mut svg, WIDTH / 2.0, HEIGHT - 10.0, "middle", self.across);
        text(&mut svg, 10.0, TOP - 8.0, "start", self.upwards);
        frame.axes(&mut svg, &self.lines);
        for (number, line) in sudare_crypto::numbered(&self.lines) {
            let colour = COLOURS.into_iter().cycle().nth(number.into()).unwrap_or("black");
            let points: Vec<String> = line
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", frame.x(*x), frame.y(*y)))
                .collect();
            let points = points.join(" ");
            // Writing to a string does not fail.
            let _ = writeln!(
                svg,
                r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>"#
            );
            let y = f64::from(number).mul_add(16.0, TOP + 14.0);
            let _ = writeln!(
                svg,
                r#"<text x="{}" y="{y}" text-anchor="end" fill="{colour}">{}</text>"#,
                WIDTH - RIGHT - 6.0,
                line.name
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Frame {
    fn around(lines: &[Line]) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let from = points().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
        let to = points().map(|(x, _)| *x).fold(0.0, f64::max);
        let highest = points().map(|(_, y)| *y).fold(0.0, f64::max);
        // The least round number above all: 1, 2 or 5 and zeros.
        let decade = 10f64.powf(highest.max(1.0).log10().floor());
        let round = [1.0, 2.0, 5.0].map(|digit| digit * decade);
        let top = round.into_iter().find(|top| *top >= highest).unwrap_or(10.0 * decade);
        Self { from, to: to.max(from * 2.0), top }
    }

    fn x(&self, x: f64) -> f64 {
        let share = (x / self.from).log2() / (self.to / self.from).log2();
        share.mul_add(WIDTH - LEFT - RIGHT, LEFT)
    }

    fn y(&self, y: f64) -> f64 {
        let share = y / self.top;
        (1.0 - share).mul_add(HEIGHT - TOP - BOTTOM, TOP)
    }

    fn axes(&self, svg: &mut String, lines: &[Line]) {
        for step in 0..=STEPS {
            let number = self.top * f64::from(step) / f64::from(STEPS);
            let y = self.y(number);
            let _ = writeln!(
                svg,
                r##"<line x1="{LEFT}" x2="{}" y1="{y:.1}" y2="{y:.1}" stroke="#ddd"/>"##,
                WIDTH - RIGHT
            );
            text(svg, LEFT - 6.0, y + 4.0, "end", &number.to_string());
        }
        for (x, _) in
            lines.iter().max_by_key(|line| line.points.len()).map_or(&[][..], |line| &line.points)
        {
            text(svg, self.x(*x), HEIGHT - BOTTOM + 16.0, "middle", &x.to_string());
        }
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_inside_and_higher_numbers_are_higher_up() {
        let points = vec![(1.0, 3_300.0), (16.0, 1_500.0), (1_024.0, 1_200.0)];
        let lines = vec![Line { name: "ours", points: points.clone() }];
        let frame = Frame::around(&lines);
        assert_eq!(frame.top, 5_000.0);
        for (x, y) in &points {
            assert!((LEFT..=WIDTH - RIGHT).contains(&frame.x(*x)));
            assert!((TOP..=HEIGHT - BOTTOM).contains(&frame.y(*y)));
        }
        assert!(frame.y(3_300.0) < frame.y(1_200.0));
        assert!(frame.x(16.0) < frame.x(1_024.0));
        let plot = Plot { title: "title", across: "legs", upwards: "us", lines };
        let svg = plot.svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        for shown in ["title", "legs", "ours", ">1024<", ">5000<"] {
            assert!(svg.contains(shown), "{shown} is not in {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn a_plot_of_one_point_or_none_is_a_drawing_too() {
        for points in [vec![], vec![(1.0, 1.0)]] {
            let plot =
                Plot { title: "", across: "", upwards: "", lines: vec![Line { name: "", points }] };
            assert!(!plot.svg().contains("NaN"));
        }
    }
}
