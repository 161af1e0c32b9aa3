//! `mainstem demo`: a broker, a real access log, and a processor beside it that counts the log by the minute.
//!
//! - [`run`]: the whole of it, from start to end.
//! - `bundled`: the log that comes with the binary; `access_log`: its lines; `feed`: the way into the topic.
//! - `counter`: the program of the processor; `documents`: what it writes.
//! - `results` and `screen`: what is shown.

mod access_log;
mod bundled;
mod counter;
mod documents;
mod error;
mod feed;
mod results;
mod screen;

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use mainstem_client::{Admin, AdminConfig, NewTopic, TopicPartition, Transport, admin::AdminError};
use mainstem_processor::{Handle, InputEnd, Meter, Settings, StartError};
use mainstem_protocol::{ErrorCode, Offset};
use tokio::{
    sync::{OnceCell, watch},
    time::timeout,
};
use tracing::debug;

pub use error::DemoError;

use super::LocalTransport;
use crate::{broker::Broker, config::Config, process::Signals};
use results::Results;
use screen::Screen;

/// The topic of lines.
const INPUT: &str = "access-log";

/// The topic of results.
const OUTPUT_TOPIC: &str = "access-log-per-minute";

/// The processor, and its group.
const PROCESSOR: &str = "access-log-counter";

/// How long the processor is given to commit when the demo ends.
const STOP_MAX: Duration = Duration::from_secs(5);

/// What the demo is told.
#[derive(Debug)]
pub struct Options {
    /// The broker's settings.
    pub config: Config,
    /// Whether it ends after the last window; else it stays up until it is told to stop.
    pub exit: bool,
}

/// Runs the demo and shows it on standard output. Must be called within a runtime. A second run over the same data
/// directory goes on where the first one ended: no line is fed or counted twice.
///
/// # Errors
/// Whatever keeps it from its end.
pub async fn run(options: Options) -> Result<(), DemoError> {
    run_on(options, io::stdout()).await
}

/// As [`run`], with what is shown written elsewhere; progress still goes to standard error.
///
/// # Errors
/// As [`run`].
pub async fn run_on(options: Options, out: impl Write + Send + 'static) -> Result<(), DemoError> {
    run_with(options, Screen::new(out)).await
}

/// As [`run`], for programs: an object of JSON a line, the first of them with the broker's addresses.
///
/// # Errors
/// As [`run`].
pub async fn run_json(options: Options) -> Result<(), DemoError> {
    run_with(options, Screen::json(io::stdout())).await
}

async fn run_with(options: Options, screen: Screen) -> Result<(), DemoError> {
    let Options { config, exit } = options;
    let signals = Signals::new()?;
    let dir = config.storage.dir.clone();
    let broker = Broker::start(config).await?;
    let told_to_stop = signals.first(broker.tasks());
    screen.broker(broker.advertised(), http(&broker))?;
    screen.say(format_args!("The broker keeps its data in {}.", dir.display()))?;
    let processor = OnceCell::new();
    let ended = tokio::select! {
        ended = demonstrate(&broker, &screen, &processor, exit) => ended,
        failure = broker.failures().first() => Err(DemoError::Failure(failure)),
        () = told_to_stop => Ok(()),
    };
    screen.done();
    stop(processor).await;
    let stopped = broker.shutdown().await;
    ended.and_then(|()| Ok(stopped?))
}

/// Lets the processor commit what it has done. What it did not is done again by the next run.
async fn stop(processor: OnceCell<Handle>) {
    let Some(processor) = processor.into_inner() else { return };
    match timeout(STOP_MAX, processor.stop()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "processor had failed"),
        Err(late) => debug!(%late, "processor does not stop"),
    }
}

async fn demonstrate(
    broker: &Broker,
    screen: &Screen,
    processor: &OnceCell<Handle>,
    exit: bool,
) -> Result<(), DemoError> {
    let transport: Arc<dyn Transport> = Arc::new(LocalTransport::new(broker, "mainstem-demo"));
    create_topics(transport.as_ref()).await?;
    let before = feed::fed_before(transport.as_ref()).await?;
    screen.fed(before);
    screen.say(about_to_feed(before))?;
    // Much is prepared for a start: it needs no place in all that goes on behind it.
    let started = Box::pin(start_processor(broker, screen));
    let processor = processor.get_or_try_init(|| started).await?;
    let (done, is_done) = watch::channel(false);
    let (results, ()) = tokio::try_join!(results::show(transport.as_ref(), screen, is_done), async {
        feed::feed(transport.as_ref(), before, screen).await?;
        processor.ended().await?;
        done.send_replace(true);
        Ok(())
    })?;
    screen.done();
    screen.say(summary(&results))?;
    if !exit {
        screen.say(look_closer(broker))?;
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Lines and results bear the times of the log, which are years ago: they are kept all the same.
async fn create_topics(transport: &dyn Transport) -> Result<(), DemoError> {
    let admin = Admin::new(transport, AdminConfig::default());
    for name in [INPUT, OUTPUT_TOPIC] {
        match admin.create_topic(NewTopic::new(name, 1).config("retention.ms", "-1")).await {
            Err(AdminError::Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }) | Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn start_processor(broker: &Broker, screen: &Screen) -> Result<Handle, DemoError> {
    let end = Offset(bundled::LINES as i64);
    let settings = Settings {
        input_end: InputEnd::At(HashMap::from([(TopicPartition::new(INPUT, 0), end)])),
        meter: Arc::new(ScreenMeter(screen.clone())),
        ..Settings::default()
    };
    let topology = counter::topology().map_err(StartError::from)?;
    Ok(super::run(broker, topology, settings).await?)
}

/// Counts for the eyes of whoever watches.
#[derive(Debug)]
struct ScreenMeter(Screen);

impl Meter for ScreenMeter {
    fn took(&self, records: u64) {
        self.0.counted(records);
    }
}

fn about_to_feed(before: u64) -> String {
    let lines = bundled::LINES;
    match before {
        0 => format!(
            "Feeding {lines} lines of a web server's access log into the topic {INPUT}; the processor\n\
             {PROCESSOR} counts them by minute and status class into {OUTPUT_TOPIC}.\n"
        ),
        before if before < lines => {
            format!(
                "An earlier run has fed {before} of {lines} lines into {INPUT}; this one goes on behind them.\n"
            )
        }
        _ => format!(
            "An earlier run has fed all {lines} lines into {INPUT}: nothing is fed twice. What was counted\n\
             is in {OUTPUT_TOPIC}; what was not is counted now. Another --data begins anew.\n"
        ),
    }
}

fn summary(results: &Results) -> String {
    let (windows, documents::Counts { requests, errors, bytes }) = (results.windows(), results.total());
    format!("\n{windows} windows: {requests} requests, {errors} errors, {bytes} bytes.")
}

fn http(broker: &Broker) -> String {
    broker.http().map(|address| address.to_string()).unwrap_or_default()
}

fn look_closer(broker: &Broker) -> String {
    let (kafka, http) = (broker.advertised(), http(broker));
    format!(
        "\nLook closer, in another terminal:\n\
         \x20 kcat -b {kafka} -C -t {OUTPUT_TOPIC} -o beginning -e -K ' '\n\
         \x20 kcat -b {kafka} -C -t {INPUT} -o beginning -c 3\n\
         \x20 mainstem consume -b {kafka} {OUTPUT_TOPIC} --from earliest --exit --output json\n\
         \x20 mainstem topic describe -b {kafka} {INPUT}\n\
         \x20 curl http://{http}/metrics\n\n\
         The broker stays up until Ctrl-C."
    )
}
