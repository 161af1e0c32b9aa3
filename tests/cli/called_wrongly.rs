//! What a command says that was called wrongly, or that finds no broker.

use crate::broker::Folder;
use crate::process::{TALKING, mainstem, piped, run, run_with};

#[test]
fn no_command_is_called_wrongly() {
    let said = run(&[]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("Usage: mainstem <COMMAND>"), "{}", said.err);
}

#[test]
fn nobody_listening_is_told_with_what_to_do() {
    let expected = "mainstem: cannot connect to 127.0.0.1:1: Connection refused (os error 111)\n  \
                    is a broker running there? start one with `mainstem serve`, or name another with -b instead of \
                    127.0.0.1:1\n";
    for command in TALKING {
        let args = [command, &["-b", "127.0.0.1:1"]].concat();
        assert_eq!(run(&args).failed(1), expected, "{command:?}");
    }
}

#[test]
fn a_wrong_word_names_itself_and_the_nearest_right_one() {
    let check = |line: &str, wrong: &str, right: &str| {
        let err = run(&line.split(' ').collect::<Vec<_>>()).failed(2);
        let (found, tip) = err.split_once("tip: ").unwrap_or_else(|| panic!("{line}: {err}"));
        assert!(
            found.contains(&format!("'{wrong}'")) && tip.contains(&format!("'{right}'")),
            "{line}: {err}"
        );
    };
    check("serv", "serv", "serve");
    check("serve --dat x", "--dat", "--data");
    check("serve --durability os1", "os1", "os");
    check("demo --exi", "--exi", "--exit");
    check("topic creat logs", "creat", "create");
    check("topic create logs --partition 3", "--partition", "--partitions");
    check("topic list --intern", "--intern", "--internal");
    check("topic describe logs --outputs json", "--outputs", "--output");
    check("topic delete logs --bootstrap-servers x:1", "--bootstrap-servers", "--bootstrap-server");
    check("produce logs --compresion lz4", "--compresion", "--compression");
    check("produce logs -z lz", "lz", "lz4");
    check("consume logs --form latest", "--form", "--from");
    check("consume logs --value-as integr", "integr", "integer");
    check("group descibe readers", "descibe", "describe");
    check("group list --outptu json", "--outptu", "--output");
    check("bench lat", "lat", "latency");
    check("bench produce --rat 5", "--rat", "--rate");
    check("bench consume --record 5", "--record", "--records");
    check("bench latency --warmup 1s", "--warmup", "--warm-up");
    check("verify . --outpt json", "--outpt", "--output");
    check("settings --outpu json", "--outpu", "--output");
}

#[test]
fn a_wrong_setting_names_itself_its_place_and_the_nearest_right_one() {
    let folder = Folder::new();
    let file = folder.path("settings.toml");
    let path = file.to_str().unwrap();
    let check = |args: &[&str], variable: &str, text: &str, expected: &str| {
        std::fs::write(&file, text).unwrap();
        let output = mainstem(args).env(variable, "x").output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err), (Some(2), format!("mainstem: {expected}\n")));
    };
    let partitions = "expected a whole number from 1 to 100000";
    for command in ["serve", "demo"] {
        let (flag, value) =
            ([command, "--set", "log.retension.ms=5"], [command, "--set", "num.partitions=x"]);
        let meant = "there is no setting log.retension.ms (flag --set): did you mean log.retention.ms?";
        check(&flag, "OTHER", "", meant);
        check(&value, "OTHER", "", &format!("setting num.partitions cannot be x (flag --set): {partitions}"));
        let meant = "there is no setting log.dirr (environment variable MAINSTEM_LOG_DIRR): did you mean MAINSTEM_LOG_DIR?";
        check(&[command], "MAINSTEM_LOG_DIRR", "", meant);
        let place = "environment variable MAINSTEM_NUM_PARTITIONS";
        let expected = format!("setting num.partitions cannot be x ({place}): {partitions}");
        check(&[command], "MAINSTEM_NUM_PARTITIONS", "", &expected);
        let with_file = [command, "--config", path];
        let meant =
            format!("there is no setting log.retention.mss ({path}:2): did you mean log.retention.ms?");
        check(&with_file, "OTHER", "[log]\nretention.mss = 3\n", &meant);
        let expected = format!("setting num.partitions cannot be 0 ({path}:1): {partitions}");
        check(&with_file, "OTHER", "num.partitions = 0\n", &expected);
    }
}

#[test]
fn a_variable_that_names_nothing_is_told_by_every_command_that_talks_to_a_broker() {
    let expected = "mainstem: there is no setting bootstrap.servers (environment variable MAINSTEM_BOOTSTRAP_SERVERS): \
                    did you mean MAINSTEM_BOOTSTRAP_SERVER?\n";
    for command in TALKING {
        let output = mainstem(command).env("MAINSTEM_BOOTSTRAP_SERVERS", "127.0.0.1:1").output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.as_str()), (Some(2), expected), "{command:?}");
    }
}

#[test]
fn the_environment_names_the_broker() {
    let mut command = mainstem(&["topic", "list"]);
    let output = command.env("MAINSTEM_BOOTSTRAP_SERVER", "127.0.0.1:2").output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.starts_with("mainstem: cannot connect to 127.0.0.1:2: "), "{err}");
}

#[test]
fn a_wrong_format_says_what_is_right() {
    let err = run(&["consume", "logs", "--format", "%z"]).failed(2);
    assert!(err.contains("%z is not known: %t %p %o %k %s %h %T %K %S %R and %% are"), "{err}");
}

#[test]
fn a_wrong_start_says_what_is_right() {
    let err = run(&["consume", "logs", "--from", "yesterday"]).failed(2);
    assert!(err.contains("expected earliest, latest, an offset such as 1000, a time such as"), "{err}");
}

#[test]
fn an_unknown_setting_is_told() {
    let err = run(&["settings", "no.such"]).failed(2);
    assert_eq!(err, "mainstem: there is no setting no.such\n  `mainstem settings` lists them\n");
    let err = run(&["settings", "log.dirs"]).failed(2);
    assert_eq!(err, "mainstem: there is no setting log.dirs\n  did you mean log.dir?\n");
}

#[test]
fn settings_are_listed_for_people_and_programs() {
    let text = run(&["settings"]).well();
    assert!(text.starts_with("SETTING"), "{text}");
    let alias = text.lines().find(|line| line.starts_with("log.retention.hours")).unwrap();
    assert!(alias.ends_with("(log.retention.ms in hours)"), "{alias}");
    let explained = run(&["settings", "log.retention.hours"]).well();
    assert!(explained.contains("log.retention.ms = 604800000"), "{explained}");
    let json: serde_json::Value =
        serde_json::from_str(&run(&["settings", "--output", "json"]).well()).unwrap();
    let flush =
        json.as_array().unwrap().iter().find(|setting| setting["name"] == "log.flush.interval.messages");
    assert_eq!(flush.unwrap()["default"], "1");
}

#[test]
fn what_cannot_be_is_refused_whatever_the_broker_is() {
    let check = |args: &[&str], names: &str, expected: &str| {
        let err = run(&[args, &["-b", "127.0.0.1:1"]].concat()).failed(2);
        assert!(err.contains(names) && err.contains(expected), "{err}");
        assert!(!err.contains("use '-- "), "{err}");
    };
    let number = "expected the number of a partition, from 0 to 2147483647";
    check(&["consume", "logs", "--partition", "-1"], "--partition", number);
    check(&["produce", "logs", "--partition", "-1"], "--partition", number);
    check(&["consume", "logs", "--from", "-5"], "--from", "expected earliest, latest, an offset");
    check(&["topic", "create", "logs", "-c", "a=1", "-c", "b=1", "-c", "a=2"], "a is named twice", "");
    check(
        &["group", "reset", "readers", "--all-topics", "--by-duration", "-5m"],
        "--by-duration",
        "expected a length of time",
    );
    check(&["consume", "logs", "--group", ""], "--group", "expected the name of a group");
    check(&["produce", "logs", "-K", ""], "--key-separator", "expected some text, such as :");
    check(&["produce", "logs", "-H", "=x"], "--header", "expected NAME=VALUE, or NAME alone");
    check(&["produce", ""], "<TOPIC>", "expected the name of a topic");
    check(
        &["topic", "create", "logs", "-p", "0"],
        "--partitions",
        "expected a whole number from 1 to 2147483647",
    );
    check(&["topic", "create", "logs", "-c", "=5"], "--config", "expected NAME=VALUE");
    for server in ["garbage", "", "one:1,,two:2"] {
        let err = run(&["topic", "list", "-b", server]).failed(2);
        assert!(err.contains("expected HOST:PORT, such as 127.0.0.1:9092"), "{err}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let mut child = piped(mainstem(&["settings", "--output", "markdown"]));
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn input_without_a_broker_is_not_read_to_its_end() {
    let lines = b"line\n".repeat(1_000_000);
    assert!(run_with(&["produce", "logs", "-b", "127.0.0.1:1"], &lines).failed(1).contains("refused"));
}
