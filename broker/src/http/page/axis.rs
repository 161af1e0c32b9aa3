//! The axes of a chart: where they end, and how their figures are written.

use super::charts::Unit;

/// The upright axis of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    /// The value at its upper end.
    pub(super) top: f64,
    unit: Unit,
}

impl Axis {
    /// An axis on which `highest` has its place: it ends with 1, 2 or 5 times a power of ten.
    pub(super) fn up_to(highest: f64, unit: Unit) -> Self {
        let least = match unit {
            Unit::Records => 10.0,
            Unit::Bytes => 1000.0,
            Unit::Seconds => 0.001,
        };
        let highest = highest.max(least);
        let power = 10_f64.powf(highest.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        // The margin absorbs what the logarithm rounds.
        let top = steps.into_iter().find(|step| *step >= highest * 0.999_999).unwrap_or(highest);
        Self { top, unit }
    }

    /// A figure of it, with its unit.
    pub(super) fn figure(&self, value: f64) -> String {
        match self.unit {
            Unit::Records => format!("{}/s", scaled(value, "")),
            Unit::Bytes => format!("{}/s", scaled(value, "B")),
            Unit::Seconds if self.top <= 0.001 => format!("{} µs", rounded(value * 1e6)),
            Unit::Seconds if self.top <= 1.0 => format!("{} ms", rounded(value * 1e3)),
            Unit::Seconds => format!("{} s", rounded(value)),
        }
    }
}

/// The lower axis of a chart, which ends now. Its figures are multiples of its unit, so that they are round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Times {
    /// From end to end, in its unit.
    pub(super) span: f64,
    /// Seconds in its unit.
    seconds: f64,
    unit: &'static str,
}

impl Times {
    /// Seconds, or minutes where there are more than two of them.
    pub(super) fn of(seconds: usize) -> Self {
        let (length, unit) = if seconds > 120 { (60.0, "min") } else { (1.0, "s") };
        Self { span: seconds as f64 / length, seconds: length, unit }
    }

    /// The place of a moment so many seconds from now; before now they are negative.
    pub(super) fn at(&self, seconds: f64) -> f64 {
        seconds / self.seconds
    }

    /// The figure of a place.
    pub(super) fn label(&self, at: f64) -> String {
        if at == 0.0 {
            "now".to_owned()
        } else {
            format!("{} {}", rounded(at).replace('-', "−"), self.unit)
        }
    }
}

/// With a prefix for thousands, as in `1.5 MB`.
fn scaled(value: f64, unit: &str) -> String {
    let (factor, prefix) = match value {
        value if value >= 1e9 => (1e9, "G"),
        value if value >= 1e6 => (1e6, "M"),
        value if value >= 1e3 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let figure = rounded(value / factor);
    if prefix.is_empty() && unit.is_empty() { figure } else { format!("{figure} {prefix}{unit}") }
}

fn rounded(value: f64) -> String {
    let figure = format!("{value:.2}");
    figure.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(highest: f64, unit: Unit, top: f64, figure: &str) {
        let axis = Axis::up_to(highest, unit);
        assert!((axis.top - top).abs() < top * 1e-9, "{axis:?}");
        assert_eq!(axis.figure(axis.top), figure);
    }

    #[test]
    fn an_axis_ends_round_and_bears_its_unit() {
        check(0.0, Unit::Records, 10.0, "10/s");
        check(1_234.0, Unit::Records, 2_000.0, "2 k/s");
        check(1_000.0, Unit::Records, 1_000.0, "1 k/s");
        check(4_200_000.0, Unit::Bytes, 5_000_000.0, "5 MB/s");
        check(0.000_2, Unit::Seconds, 0.001, "1000 µs");
        check(0.011, Unit::Seconds, 0.02, "20 ms");
        check(3.0, Unit::Seconds, 5.0, "5 s");
    }

    #[test]
    fn times_are_round() {
        let minutes = Times::of(300);
        assert_eq!((minutes.span, minutes.at(-120.0)), (5.0, -2.0));
        assert_eq!((minutes.label(-2.0), minutes.label(0.0)), ("−2 min".to_owned(), "now".to_owned()));
        assert_eq!(Times::of(60).label(-50.0), "−50 s");
    }

    #[test]
    fn figures_between_are_not_rounded_away() {
        assert_eq!(Axis::up_to(2.5e6, Unit::Bytes).figure(1_250_000.0), "1.25 MB/s");
        assert_eq!(Axis::up_to(20.0, Unit::Records).figure(5.0), "5/s");
        assert_eq!(Axis::up_to(20.0, Unit::Records).figure(0.0), "0/s");
    }
}
