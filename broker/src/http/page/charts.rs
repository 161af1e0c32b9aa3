//! The charts of the page: drawn here, as SVG, in colours that the page's style sheet replaces.

use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::Cartesian2d;
use plotters::prelude::{
    AreaSeries, ChartBuilder, ChartContext, Color, DrawingAreaErrorKind, IntoDrawingArea, LineSeries,
    RGBColor, SVGBackend,
};
use serde::Serialize;

use super::axis::{Axis, Times};
use super::point::Point;

/// Drawn at twice the size that it is shown in, so that whole pixels are fine enough.
const SCALE: u32 = 2;

/// Pixels of the page.
const HEIGHT: u32 = 150;

/// Pixels that the figures of the upright axis take.
const FIGURES: u32 = 58;

/// Pixels that the times below take.
const TIMES: u32 = 22;

/// Pixels around it.
const MARGIN: u32 = 6;

/// Pixels on the right, where the last time reaches beyond the end.
const RIGHT: u32 = 20;

/// Seconds that a chart shows at least, however short its history is.
const SECONDS_MIN: usize = 60;

/// What the style sheet knows the lines by: `#010000` and `#020000`. Everything else that is drawn is black.
const LINES: [RGBColor; 2] = [RGBColor(1, 0, 0), RGBColor(2, 0, 0)];

/// A chart and what is in it.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    id: &'static str,
    title: &'static str,
    unit: Unit,
    svg: String,
    /// Where in the width, from 0 to 1, the oldest second stands.
    left: f64,
    /// Where in the width, from 0 to 1, now stands.
    right: f64,
    /// Seconds from left to right.
    seconds: usize,
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    Records,
    Bytes,
    Seconds,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    /// One a second, the last one is the latest; none where there was nothing to measure.
    values: Vec<Option<f64>>,
}

/// The charts do not fit, or there is a mistake in them.
pub(super) type DrawError<'a> =
    DrawingAreaErrorKind<<SVGBackend<'a> as plotters::prelude::DrawingBackend>::ErrorType>;

type Plot<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// All charts of `points`, the oldest of which is first, each `width` pixels wide.
pub(super) fn charts(points: &[Point], width: u32) -> Vec<Chart> {
    let line =
        |name, value: fn(&Point) -> Option<f64>| Line { name, values: points.iter().map(value).collect() };
    let chart = |id, title, unit, lines| Chart::new(id, title, unit, lines, width);
    vec![
        chart(
            "records",
            "Records",
            Unit::Records,
            vec![line("in", |point| Some(point.records_in)), line("out", |point| Some(point.records_out))],
        ),
        chart(
            "bytes",
            "Bytes",
            Unit::Bytes,
            vec![line("in", |point| Some(point.bytes_in)), line("out", |point| Some(point.bytes_out))],
        ),
        chart(
            "produce",
            "Produce latency",
            Unit::Seconds,
            vec![
                line("p50", |point| point.produce.map(|took| took.p50)),
                line("p99", |point| point.produce.map(|took| took.p99)),
            ],
        ),
        chart(
            "sync",
            "Journal sync",
            Unit::Seconds,
            vec![
                line("p50", |point| point.sync.map(|took| took.p50)),
                line("p99", |point| point.sync.map(|took| took.p99)),
            ],
        ),
    ]
}

impl Chart {
    fn new(id: &'static str, title: &'static str, unit: Unit, lines: Vec<Line>, width: u32) -> Self {
        let mut svg = String::new();
        let seconds = lines.first().map_or(0, |line| line.values.len()).max(SECONDS_MIN);
        let axes = (Times::of(seconds), Axis::up_to(highest(&lines), unit));
        if let Err(error) = draw(&mut svg, width, axes, &lines) {
            tracing::warn!(chart = id, width, %error, "chart could not be drawn");
        }
        let share = |pixels: u32| f64::from(pixels) / f64::from(width);
        let (left, right) = (share(MARGIN + FIGURES), 1.0 - share(RIGHT));
        Self { id, title, unit, svg, left, right, seconds, lines }
    }
}

fn draw<'a>(
    svg: &'a mut String,
    width: u32,
    (times, axis): (Times, Axis),
    lines: &[Line],
) -> Result<(), DrawError<'a>> {
    let area = SVGBackend::with_string(svg, (width * SCALE, HEIGHT * SCALE)).into_drawing_area();
    let mut plot = ChartBuilder::on(&area)
        .margin(MARGIN * SCALE)
        .margin_right(RIGHT * SCALE)
        .x_label_area_size(TIMES * SCALE)
        .y_label_area_size(FIGURES * SCALE)
        .build_cartesian_2d(-times.span..0.0, 0.0..axis.top)?;
    plot.configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .x_labels(7)
        .x_label_formatter(&|time| times.label(*time))
        .y_labels(5)
        .y_label_formatter(&|value| axis.figure(*value))
        .label_style(("sans-serif", 12 * SCALE))
        .draw()?;
    for (line, color) in lines.iter().zip(LINES) {
        draw_line(&mut plot, line, color, times)?;
    }
    area.present()
}

/// A line has gaps where there was nothing to measure.
fn draw_line<'b>(
    plot: &mut Plot<'_, 'b>,
    line: &Line,
    color: RGBColor,
    times: Times,
) -> Result<(), DrawError<'b>> {
    for range in stretches(&line.values) {
        let point = |at: usize| {
            let ago = at as f64 + 1.0 - line.values.len() as f64;
            line.values[at].map(|value| (times.at(ago), value))
        };
        let points: Vec<_> = range.filter_map(point).collect();
        let area = AreaSeries::new(points.iter().copied(), 0.0, color.mix(0.12));
        plot.draw_series(area)?;
        plot.draw_series(LineSeries::new(points, color.stroke_width(3)))?;
    }
    Ok(())
}

/// Where there are values without a gap.
fn stretches(values: &[Option<f64>]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in (0..values.len()).filter(|at| values[*at].is_some()) {
        match found.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

fn highest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| &line.values).flatten().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::page::point::Percentiles;

    fn point(records: f64, produce: Option<f64>) -> Point {
        let produce = produce.map(|p99| Percentiles { p50: p99 / 2.0, p99 });
        Point { records_in: records, produce, ..Point::default() }
    }

    #[test]
    fn every_chart_is_drawn_in_colours_that_the_style_sheet_knows() {
        let charts = charts(&[point(1.0, Some(0.001)), point(2.0, Some(0.002))], 400);
        let style = include_str!("assets/page.css");
        assert_eq!(charts.len(), 4);
        for Chart { svg, .. } in &charts[..3] {
            assert!(svg.starts_with("<svg width=\"800\" height=\"300\""), "{svg}");
            for color in ["stroke=\"#010000\"", "stroke=\"#020000\""] {
                assert!(svg.contains(color), "{svg}");
                assert!(style.contains(color));
            }
            // The page's policy forbids styles within it.
            assert!(!svg.contains("style="), "{svg}");
        }
    }

    #[test]
    fn a_chart_without_history_has_its_axes() {
        let charts = charts(&[], 400);
        assert_eq!(charts[0].seconds, SECONDS_MIN);
        assert!(charts[0].svg.contains("10/s"), "{}", charts[0].svg);
        assert!(charts[0].svg.contains("now"), "{}", charts[0].svg);
    }

    #[test]
    fn a_line_has_gaps_where_nothing_was_measured() {
        let value = Some(1.0);
        assert_eq!(stretches(&[None, value, value, None, value]), [1..3, 4..5]);
        assert!(stretches(&[None, None]).is_empty());
        let points = [point(0.0, Some(0.1)), point(0.0, None), point(0.0, Some(0.1))];
        let produce = &charts(&points, 400)[2];
        assert_eq!(produce.lines[1].values, [Some(0.1), None, Some(0.1)]);
    }
}
