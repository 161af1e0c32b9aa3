//! How time goes on and does not.

use super::*;

fn channels() -> [Channel; 2] {
    ["a", "b"].map(|topic| Channel { partition: TopicPartition::new(topic, 0), from: None })
}

fn time() -> TaskTime {
    TaskTime::restored(channels(), &Store::default())
}

#[test]
fn watermark_is_that_of_the_channel_furthest_behind() {
    let mut time = time();
    time.advance(0, Timestamp(10));
    assert_eq!(time.watermark(), BEGINNING);
    time.advance(1, Timestamp(5));
    assert_eq!(time.watermark(), Timestamp(5));
    time.finish(&channels()[1].partition);
    assert_eq!(time.watermark(), Timestamp(10));
    time.finish(&channels()[0].partition);
    assert_eq!(time.watermark(), END);
}

/// Traps 11 and 56.
#[test]
fn watermark_never_falls_and_survives_a_restart() {
    let (mut time, mut store) = (time(), Store::default());
    for (channel, at) in [(0, 10), (1, 12), (0, 3)] {
        time.advance(channel, Timestamp(at));
        time.see(Timestamp(at));
    }
    assert_eq!((time.watermark(), time.stream_time()), (Timestamp(10), Timestamp(12)));
    time.save(&mut store);
    let restored = TaskTime::restored(channels(), &store);
    assert_eq!((restored.watermark(), restored.stream_time()), (Timestamp(10), Timestamp(12)));
}

#[test]
fn end_of_the_input_is_not_saved() {
    let (mut time, mut store) = (time(), Store::default());
    time.advance(0, Timestamp(10));
    time.advance(1, Timestamp(12));
    channels().iter().for_each(|channel| time.finish(&channel.partition));
    assert_eq!(time.watermark(), END);
    time.save(&mut store);
    assert!(store.uncommitted().all(|(_, value)| value.unwrap() != &END.0.to_be_bytes()[..]));
    let restored = TaskTime::restored(channels(), &store);
    assert!(channels().iter().all(|channel| !restored.is_finished(&channel.partition)));
    // The second channel was alone, and time as far as it, when it ended.
    assert_eq!((restored.watermark(), restored.stream_time()), (Timestamp(12), Timestamp(12)));
}

#[test]
fn record_at_the_end_of_time_does_not_bring_it() {
    let mut time = time();
    for (channel, at) in [(0, END), (0, Timestamp(4)), (1, Timestamp(5)), (1, END)] {
        time.advance(channel, at);
    }
    assert_eq!(time.watermark(), Timestamp(4));
}

#[test]
fn mark_ends_a_channel_in_its_own_run_only() {
    let partition = TopicPartition::new("r", 0);
    let channel = || [Channel { partition: partition.clone(), from: Some(0) }];
    let (mut time, mut store) = (TaskTime::restored(channel(), &Store::default()), Store::default());
    time.begin_at(&partition, Offset(5));
    time.finish_by(0, Offset(4));
    assert!(!time.is_finished(&partition));
    time.finish_by(0, Offset(5));
    assert_eq!((time.is_finished(&partition), time.watermark()), (true, END));
    time.save(&mut store);
    // The task starts again within the run, and then in another one.
    for (begin, is_finished) in [(5, true), (6, false)] {
        let mut restored = TaskTime::restored(channel(), &store);
        restored.begin_at(&partition, Offset(begin));
        assert_eq!(restored.is_finished(&partition), is_finished);
    }
}

#[test]
fn idle_channel_is_not_waited_for_until_it_wakes_up() {
    let (mut time, [a, b]) = (time(), channels());
    time.advance(0, Timestamp(10));
    time.idle(&b.partition, None);
    assert_eq!(time.watermark(), Timestamp(10));
    time.advance(1, Timestamp(3));
    time.advance(0, Timestamp(20));
    assert_eq!(time.watermark(), Timestamp(10));
    time.idle(&a.partition, None);
    time.idle(&b.partition, None);
    assert!(time.is_idle());
    assert_eq!(time.watermark(), Timestamp(20));
}

/// Trap 53.
#[test]
fn input_that_has_ended_beside_an_idle_one_neither_holds_time_up_nor_ends_it() {
    let (mut time, [a, b]) = (time(), channels());
    time.advance(0, Timestamp(10));
    time.advance(1, Timestamp(4));
    time.finish(&a.partition);
    assert_eq!(time.watermark(), Timestamp(4));
    time.idle(&b.partition, None);
    assert_eq!((time.watermark(), time.is_finished(&b.partition)), (Timestamp(10), false));
    time.advance(1, Timestamp(12));
    assert_eq!(time.watermark(), Timestamp(12));
    time.idle(&b.partition, None);
    time.finish(&b.partition);
    assert_eq!(time.watermark(), END);
}

#[test]
fn channel_is_as_far_behind_its_records_as_they_may_be_out_of_order() {
    let (mut time, mut store, [a, _]) = (time(), Store::default(), channels());
    time.allow_disorder(&a.partition.topic, 5);
    time.advance(0, Timestamp(10));
    time.advance(1, Timestamp(8));
    time.see(Timestamp(10));
    assert_eq!((time.watermark(), time.stream_time()), (Timestamp(5), Timestamp(10)));
    time.save(&mut store);
    let mut restored = TaskTime::restored(channels(), &store);
    restored.allow_disorder(&a.partition.topic, 7);
    restored.advance(0, Timestamp(11));
    assert_eq!((restored.watermark(), restored.stream_time()), (Timestamp(5), Timestamp(10)));
    restored.advance(0, Timestamp(14));
    assert_eq!(restored.watermark(), Timestamp(7));
    for end in [i64::MIN + 1, i64::MAX - 1] {
        restored.advance(0, Timestamp(end));
    }
    assert_eq!(restored.watermark(), Timestamp(8));
}

#[test]
fn channel_that_goes_by_the_clock_is_never_behind_it_and_holds_nobody_up() {
    let (mut time, [a, _]) = (time(), channels());
    time.go_by_clock(&a.partition.topic);
    time.advance(1, Timestamp(40));
    assert_eq!(time.watermark(), BEGINNING);
    for (now, watermark) in [(30, 30), (20, 30), (50, 40), (i64::MAX, 40)] {
        time.look_at_clock(Timestamp(now));
        assert_eq!(time.watermark(), Timestamp(watermark));
    }
    time.idle(&channels()[1].partition, None);
    assert_eq!(time.watermark(), LAST);
}

#[test]
fn idle_channel_that_goes_by_the_clock_takes_time_nowhere() {
    let (mut time, [a, b]) = (time(), channels());
    time.go_by_clock(&a.partition.topic);
    time.advance(1, Timestamp(40));
    time.idle(&a.partition, None);
    time.idle(&b.partition, None);
    time.look_at_clock(Timestamp(1000));
    assert_eq!(time.watermark(), Timestamp(40));
    // Its records do, when they come.
    time.advance(0, Timestamp(1000));
    assert_eq!(time.watermark(), Timestamp(1000));
}

#[test]
fn time_that_rests_is_taken_on_and_stays_there_when_channels_wake_up() {
    let (mut time, [a, b]) = (time(), channels());
    time.rest_behind_clock(10);
    time.idle(&a.partition, None);
    time.idle(&b.partition, None);
    // Nothing has begun yet.
    time.rest(Timestamp(60));
    assert!(time.is_idle());
    assert_eq!(time.watermark(), BEGINNING);
    time.advance(0, Timestamp(10));
    time.rest(Timestamp(70));
    assert_eq!(time.watermark(), Timestamp(10));
    time.idle(&a.partition, None);
    for (now, watermark) in [(70, 60), (50, 60), (80, 70)] {
        time.rest(Timestamp(now));
        assert_eq!((time.is_idle(), time.watermark()), (false, Timestamp(watermark)));
    }
    time.advance(0, Timestamp(30));
    time.rest(Timestamp(100));
    assert_eq!((time.rests(), time.watermark()), (false, Timestamp(70)));
    // An input that has ended expects nothing either.
    time.finish(&a.partition);
    time.rest(Timestamp(100));
    assert_eq!((time.watermark(), time.is_finished(&b.partition)), (Timestamp(90), false));
    time.finish(&b.partition);
    assert_eq!((time.rests(), time.watermark()), (false, END));
}

#[test]
fn time_that_other_tasks_tell_is_theirs_to_take_on() {
    let channel = Channel { partition: TopicPartition::new("r", 0), from: Some(0) };
    let mut time = TaskTime::restored([channel.clone()], &Store::default());
    time.rest_behind_clock(0);
    time.advance(0, Timestamp(10));
    time.idle(&channel.partition, Some(0));
    assert!(time.is_idle() && !time.rests_by_clock());
}

#[test]
fn channels_of_one_partition_are_told_apart_by_their_tasks() {
    let partition = TopicPartition::new("r", 0);
    let of = |task| Channel { partition: partition.clone(), from: Some(task) };
    let mut time = TaskTime::restored([of(0), of(1)], &Store::default());
    time.advance(time.channel(&partition, Some(0)).unwrap(), Timestamp(7));
    assert_eq!(time.watermark(), BEGINNING);
    time.advance(time.channel(&partition, Some(1)).unwrap(), Timestamp(4));
    assert_eq!((time.watermark(), time.channel(&partition, Some(2))), (Timestamp(4), None));
}
