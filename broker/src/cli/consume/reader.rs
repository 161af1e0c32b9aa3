//! Begin polls to prints to commits.

use std::fmt::Display;

use bytes::Bytes;
use mainstem_client::consumer::{
    CommitError, Consumer, ConsumerConfig, OffsetReset, PartitionRecords, Polled,
};
use mainstem_client::{Admin, TcpTransport, TopicPartition};
use mainstem_protocol::Offset;
use mainstem_protocol::records::Record;
use tokio::time::{Duration, Instant, timeout};

use super::Args;
use super::ends::Ends;
use super::from::Begin;
use super::growth::Growth;
use super::part::{Kind, Part};
use super::presence::Presence;
use super::share;
use super::sharing::Sharing;
use super::shown::Shown;
use super::sink::Sink;
use super::start::{self, Offsets, POLL};
use super::subject::Subject;
use crate::cli::error::{self, Error};
use crate::cli::remote;

/// Records that one poll brings at most.
const POLL_RECORDS: usize = 5000;

/// How often a group's offsets are committed while records are printed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// How long a broker is given to take offsets; meanwhile nothing is printed.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// Reads a topic, prints it, and commits what was printed.
pub(super) struct Reader {
    consumer: Consumer,
    sink: Sink,
    key_as: Kind,
    value_as: Kind,
    ends: Ends,
    presence: Presence,
    /// Where all partitions are read without a group and without an end: those to come.
    growth: Option<Growth>,
    /// Where the broker shares out the partitions: whether more of them may come.
    sharing: Option<Sharing>,
    /// Where the group has begun that has committed nothing; empty without a group.
    starts: Offsets,
    is_member: bool,
    /// Whether it is told which partitions a member has.
    is_verbose: bool,
    /// The first record of a partition that the consumer has handed out, and that is not printed.
    unprinted: Offsets,
    /// What was committed last.
    committed: Offsets,
    committed_at: Instant,
}

impl Reader {
    /// Begins to read what the arguments say.
    pub(super) async fn start(args: &Args, transport: &TcpTransport) -> Result<Self, Error> {
        let (admin, subject) = (Admin::new(transport, remote::PATIENCE), args.subject()?);
        let partitions = subject.partitions(&admin, &args.partition).await?;
        if partitions.is_empty() {
            tell_nothing(args, &subject)?;
        }
        let consumer = Consumer::new(transport, config(args)?);
        let starts = match args.from {
            // Whoever reads what is committed begins before the first transaction that is open.
            Begin::Latest => consumer.end_offsets(&partitions).await?,
            from => start::offsets(&admin, &partitions, from).await?,
        };
        if let Some(note) = start::away(args.from, &starts) {
            error::note(note);
        }
        let ends = match args.exit {
            true => Some(consumer.end_offsets(&partitions).await?),
            false => None,
        };
        let group = args.membership.shared_by_broker().map(str::to_owned);
        let grows = !args.exit && args.partition.is_empty() && args.membership.group.is_none();
        let growth = || Growth::new(Admin::new(transport, remote::PATIENCE), subject.clone());
        let mut reader = Self {
            consumer,
            sink: args.sink(),
            key_as: args.key_as,
            value_as: args.value_as,
            ends: Ends::new(ends, args.count),
            presence: Presence::new(transport, subject.needed(&partitions, args.exit), !args.exit),
            growth: grows.then(growth),
            sharing: group.map(|group| Sharing::new(admin, group)),
            starts: Offsets::new(),
            is_member: args.membership.group.is_some(),
            is_verbose: args.membership.verbose,
            unprinted: Offsets::new(),
            committed: Offsets::new(),
            committed_at: Instant::now(),
        };
        reader.begin(&subject, partitions, starts)?;
        Ok(reader)
    }

    fn begin(
        &mut self,
        subject: &Subject,
        partitions: Vec<TopicPartition>,
        starts: Offsets,
    ) -> Result<(), Error> {
        if self.is_member {
            self.starts = starts;
            return Ok(subject.subscribe(&mut self.consumer)?);
        }
        self.consumer.assign(partitions);
        starts.iter().for_each(|(partition, offset)| self.consumer.seek(partition, *offset));
        Ok(())
    }

    /// Prints until the end is reached.
    pub(super) async fn read(&mut self) -> Result<(), Error> {
        let mut is_assigned = !self.is_member;
        while !(is_assigned && self.is_at_the_end().await?) {
            let polled = self.consumer.poll(POLL).await?;
            if !matches!(polled, Polled::Nothing) {
                self.presence.heard();
            }
            match polled {
                Polled::Records(batches) => self.print(batches)?,
                Polled::Assigned(partitions) => {
                    is_assigned = true;
                    self.begin_uncommitted(&partitions).await?;
                    self.tell_share(&[]);
                }
                Polled::Revoked(partitions) => {
                    self.commit_on_the_way().await?;
                    // What is not committed by now is for the next reader to print again.
                    self.forget(&partitions);
                    self.tell_share(&partitions);
                }
                Polled::Lost(partitions) => {
                    self.forget(&partitions);
                    self.tell_share(&partitions);
                }
                Polled::Nothing => self.presence.silent().await?,
            }
            if let Some(growth) = &mut self.growth {
                growth.follow(&mut self.consumer).await;
            }
            if self.committed_at.elapsed() >= COMMIT_INTERVAL {
                self.commit_on_the_way().await?;
            }
        }
        Ok(())
    }

    fn tell_share(&self, gone: &[TopicPartition]) {
        if self.is_verbose {
            error::note(share::told(&self.consumer.assignment(), gone));
        }
    }

    /// Whether there is nothing left to print, and none of the partitions that are still another's are to come.
    async fn is_at_the_end(&mut self) -> Result<bool, Error> {
        match &mut self.sharing {
            _ if !self.ends.are_reached(&self.consumer) => Ok(false),
            Some(sharing) if !self.ends.is_counted() => sharing.is_over(&self.consumer).await,
            _ => Ok(true),
        }
    }

    /// A group begins where it has committed nothing at what `--from` says. Partitions that the member has kept through a
    /// rebalance are read on.
    async fn begin_uncommitted(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        let is_new = |partition: &&TopicPartition| self.consumer.position(partition).is_none();
        let partitions: Vec<_> = partitions.iter().filter(is_new).cloned().collect();
        let committed = self.consumer.committed(&partitions).await.map_err(Error::new)?;
        for partition in partitions.iter().filter(|partition| !committed.contains_key(*partition)) {
            if let Some(start) = self.starts.get(partition) {
                self.consumer.seek(partition, *start);
            }
        }
        Ok(())
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.unprinted.remove(partition);
            self.committed.remove(partition);
        }
    }

    /// What did not get out is not committed.
    fn print(&mut self, batches: Vec<PartitionRecords>) -> Result<(), Error> {
        let mut printed = Vec::new();
        for PartitionRecords { partition, records, .. } in batches {
            let Some(first) = records.first().map(|record| record.offset) else { continue };
            self.unprinted.entry(partition.clone()).or_insert(first);
            let behind = self.print_each(&partition, records)?;
            // Where nothing of these was printed, an earlier record may be the first that is not.
            if behind != Some(first) {
                printed.push((partition, behind));
            }
        }
        self.sink.flush()?;
        for (partition, behind) in printed {
            match behind {
                Some(offset) => self.unprinted.insert(partition, offset),
                None => self.unprinted.remove(&partition),
            };
        }
        Ok(())
    }

    /// The first of these records that is not to be printed; none where all are printed.
    fn print_each(
        &mut self,
        partition: &TopicPartition,
        records: Vec<Record>,
    ) -> Result<Option<Offset>, Error> {
        for record in records {
            let offset = record.offset;
            if !self.ends.admit(partition, offset) {
                return Ok(Some(offset));
            }
            self.sink.print(&self.shown(partition, record)?)?;
        }
        Ok(None)
    }

    fn shown(&self, partition: &TopicPartition, record: Record) -> Result<Shown, Error> {
        let place = format_args!("{partition} at {}", record.offset.0);
        Ok(Shown {
            topic: partition.topic.to_string(),
            partition: partition.partition.0,
            offset: record.offset.0,
            timestamp: record.timestamp.0,
            key: part(self.key_as, "key", record.key, &place)?,
            value: part(self.value_as, "value", record.value, &place)?,
            headers: record.headers,
        })
    }

    /// A group that has moved on without this member has it back at the next poll; what a broker does not take is committed
    /// later.
    async fn commit_on_the_way(&mut self) -> Result<(), Error> {
        match timeout(COMMIT_PATIENCE, self.commit()).await {
            Ok(Err(error @ CommitError::NotMember { .. })) => {
                error::note(format_args!("{error}; what was printed last may be printed again"));
                Ok(())
            }
            Ok(committed) => Ok(committed?),
            Err(_) => {
                self.presence.silent().await?;
                if !self.presence.is_away() {
                    error::note("the broker has not taken the group's offsets yet; trying again");
                }
                Ok(())
            }
        }
    }

    async fn commit(&mut self) -> Result<(), CommitError> {
        self.committed_at = Instant::now();
        let due = self.due();
        if !due.is_empty() {
            self.consumer.commit(&due).await?;
            self.committed.extend(due);
        }
        Ok(())
    }

    /// The consumer's positions, as Kafka's consumer commits them: behind a marker or a hole too, where nothing before it is
    /// left to print.
    fn due(&self) -> Vec<(TopicPartition, Offset)> {
        let members = self.consumer.assignment().into_iter().filter(|_| self.is_member);
        let positions = members.filter_map(|partition| {
            let position = self.consumer.position(&partition)?;
            let printed = self.unprinted.get(&partition).map_or(position, |first| position.min(*first));
            (self.committed.get(&partition) != Some(&printed)).then_some((partition, printed))
        });
        positions.collect()
    }

    /// Commits what was printed and leaves the group, as long as a broker is there to hear it.
    pub(super) async fn finish(mut self) -> Result<(), Error> {
        let is_member = self.is_member;
        let farewell = async {
            let committed = self.commit().await;
            self.consumer.close().await;
            committed
        };
        match timeout(COMMIT_PATIENCE, farewell).await {
            Ok(committed) => Ok(committed?),
            Err(_) if is_member => Err(Error::new("the broker did not take the group's last offsets")
                .advise("what was printed last will be printed again for this group")),
            Err(_) => Ok(()),
        }
    }
}

fn config(args: &Args) -> Result<ConsumerConfig, Error> {
    let offset_reset = match args.from {
        Begin::Latest => OffsetReset::Latest,
        Begin::Earliest | Begin::Offset(_) | Begin::Time(_) | Begin::Ago(_) => OffsetReset::Earliest,
    };
    let isolation = args.isolation.into();
    Ok(ConsumerConfig { offset_reset, isolation, poll_records: POLL_RECORDS, ..args.membership.config()? })
}

/// Whoever follows waits for a topic that matches.
fn tell_nothing(args: &Args, subject: &Subject) -> Result<(), Error> {
    if args.exit {
        let advice = "`mainstem topic list` shows what there is";
        return Err(Error::new(subject.nothing()).advise(advice));
    }
    error::note(format_args!("{}; waiting for one", subject.nothing()));
    Ok(())
}

/// What a record that is not as it was said to be keeps from being printed is named with its place.
fn part(kind: Kind, what: &str, bytes: Option<Bytes>, place: &impl Display) -> Result<Option<Part>, Error> {
    let read = bytes.map(|bytes| kind.read(bytes)).transpose();
    read.map_err(|error| {
        Error::new(format_args!("the {what} of {place} {error}"))
            .advise(format!("leave --{what}-as out, or go on behind it with --from"))
    })
}
