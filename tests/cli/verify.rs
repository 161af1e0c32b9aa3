//! `verify` on data directories of a real broker.

use std::path::{Path, PathBuf};

use crate::broker::{Broker, Folder};
use crate::process::run;

/// A data directory with records in it, its broker stopped in order.
fn data(folder: &Folder) -> PathBuf {
    let data = folder.path("data");
    let broker = Broker::start(&data, &[]);
    broker.run_with(&["produce", "logs"], b"one\ntwo\nthree\n").well();
    broker.signal("TERM");
    assert_eq!(broker.wait().0, Some(0));
    data
}

/// The first segment of the topic, below the data directory.
fn segment(data: &Path) -> PathBuf {
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let holds = |path: &Path| std::fs::read(path).unwrap().windows(3).any(|window| window == b"two");
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") && holds(&path) {
                return path;
            }
        }
    }
    panic!("there is no segment");
}

#[test]
fn a_directory_without_damage_is_clean() {
    let folder = Folder::new();
    let data = data(&folder);
    let text = run(&["verify", data.to_str().unwrap()]).well();
    assert!(text.contains(": clean; "), "{text}");
    let json = run(&["verify", data.to_str().unwrap(), "--output", "json"]).well();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["clean"], &json["damages"]), (&true.into(), &serde_json::json!([])));
}

#[test]
fn a_flipped_bit_is_named_with_its_place() {
    let folder = Folder::new();
    let data = data(&folder);
    let path = segment(&data);
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(3).position(|window| window == b"two").unwrap();
    bytes[place] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let said = run(&["verify", data.to_str().unwrap(), "--output", "json"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let damage = &json["damages"][0];
    assert!(path.ends_with(damage["file"].as_str().unwrap()), "{damage}");
    let range = damage["from"].as_u64().unwrap()..damage["to"].as_u64().unwrap();
    assert!(range.contains(&u64::try_from(place).unwrap()), "{damage}");
}

#[test]
fn what_a_broker_found_damaged_ends_a_reader_with_what_to_do() {
    let folder = Folder::new();
    let data = data(&folder);
    let path = segment(&data);
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(3).position(|window| window == b"two").unwrap();
    bytes[place] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let broker = Broker::start(&data, &[]);
    let err = broker.run(&["consume", "logs", "--exit"]).failed(1);
    assert!(err.starts_with("mainstem: logs-0 is damaged behind offset 0: the broker has found it"), "{err}");
    assert!(err.contains("go on behind it with --from OFFSET"), "{err}");
}

#[test]
fn where_nothing_can_be_said_the_code_is_two() {
    let folder = Folder::new();
    let empty = folder.path("nothing");
    let err = run(&["verify", empty.to_str().unwrap()]).failed(2);
    assert!(err.contains("name the directory that the broker has as --data"), "{err}");
    let file = folder.path("file");
    std::fs::write(&file, "text").unwrap();
    let err = run(&["verify", file.to_str().unwrap()]).failed(2);
    assert!(err.starts_with(&format!("mainstem: cannot verify {}: it is a file\n", file.display())), "{err}");
    let data = folder.path("data");
    let _broker = Broker::start(&data, &[]);
    let err = run(&["verify", data.to_str().unwrap()]).failed(2);
    assert!(err.contains("stop the broker first"), "{err}");
    // A lock that cannot be written, whoever asks: it is a directory.
    let odd = folder.path("odd");
    std::fs::create_dir_all(odd.join("lock")).unwrap();
    std::fs::write(odd.join("meta"), "").unwrap();
    let err = run(&["verify", odd.to_str().unwrap()]).failed(2);
    assert!(err.contains("this user may write into that directory"), "{err}");
}
