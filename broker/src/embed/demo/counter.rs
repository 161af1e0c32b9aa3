//! The program of the demo: counts requests, errors and bytes of each minute and status class, and writes each count
//! once, when its minute is over.

use std::time::Duration;

use mainstem_processor::{Json, StreamBuilder, TimeWindows, Topology, TopologyError};
use mainstem_protocol::Text;

use super::{
    INPUT, OUTPUT_TOPIC, PROCESSOR,
    access_log::Request,
    documents::{Counts, MinuteAndClass},
};

const MINUTE: Duration = Duration::from_secs(60);

/// How long a minute waits for lines that come late.
pub(super) const GRACE: Duration = Duration::from_secs(60);

/// See the module.
pub(super) fn topology() -> Result<Topology, TopologyError> {
    let builder = StreamBuilder::new(PROCESSOR);
    builder
        .stream::<(), Text>(INPUT)
        .flat_map_values(|line| Request::of(&line).map(Json))
        .group_by(|(), request| request.class.clone())
        .windowed_by(TimeWindows::tumbling(MINUTE).grace(GRACE))
        .on_close()
        .aggregate("minutes", Json::<Counts>::default, |_, request, counts| Json(counts.add(&request)))
        .to_stream()
        .map(|class, counts| (Json(MinuteAndClass::new(class.window, &class.key)), counts))
        .to(OUTPUT_TOPIC);
    builder.build()
}

#[cfg(test)]
mod tests {
    use mainstem_processor::TestDriver;

    use super::*;

    fn line(second: u8, status: u16) -> String {
        format!("h - - [17/May/2015:10:05:{second:02} +0000] \"GET / HTTP/1.1\" {status} 100")
    }

    #[test]
    fn minute_is_counted_by_class_when_it_is_over() {
        let mut driver = TestDriver::new(&topology().unwrap()).unwrap();
        let start = 1_431_857_100_000;
        for (second, status) in [(3, 200), (4, 404), (59, 200)] {
            let at = start + i64::from(second) * 1000;
            driver.pipe(INPUT, (), line(second, status), at).unwrap();
        }
        driver.pipe(INPUT, (), "this is no line of an access log", start).unwrap();
        assert!(driver.read::<String, String>(OUTPUT_TOPIC).unwrap().is_empty());
        driver.finish().unwrap();
        let results = driver.read::<String, String>(OUTPUT_TOPIC).unwrap();
        let results: Vec<_> = results.iter().map(|result| (&*result.key, &*result.value)).collect();
        assert_eq!(
            results,
            [
                (
                    r#"{"minute":"2015-05-17T10:05:00Z","class":"2xx"}"#,
                    r#"{"requests":2,"errors":0,"bytes":200}"#
                ),
                (
                    r#"{"minute":"2015-05-17T10:05:00Z","class":"4xx"}"#,
                    r#"{"requests":1,"errors":1,"bytes":100}"#
                ),
            ]
        );
    }
}
