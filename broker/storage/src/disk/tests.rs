//! One suite for all disks.

use std::{
    io::{ErrorKind, IoSlice},
    path::Path,
    sync::Arc,
};

use super::*;

/// Runs the check on each kind of disk.
fn on_every_disk(check: impl Fn(&dyn Disk)) {
    let folder = Folder::new();
    check(&RealDisk::new(&folder.0));
    check(&MemoryDisk::new());
    check(&FaultyDisk::new(1));
}

/// A folder of the machine that goes when the test ends.
pub(crate) struct Folder(PathBuf);

#[expect(clippy::disallowed_methods, reason = "the folder of a test")]
impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mainstem-disk-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

#[expect(clippy::disallowed_methods, reason = "the folder of a test")]
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn file(disk: &dyn Disk, name: &str) -> Arc<dyn DiskFile> {
    disk.open(Path::new(name), Open::Create).unwrap()
}

fn write(file: &dyn DiskFile, bytes: &[u8], position: u64) {
    file.write_at(&[IoSlice::new(bytes)], position).unwrap();
}

fn read(file: &dyn DiskFile, len: usize, position: u64) -> Vec<u8> {
    let mut buffer = vec![0; len];
    let count = file.read_at(&mut buffer, position).unwrap();
    buffer.truncate(count);
    buffer
}

#[test]
fn open_respects_what_exists() {
    on_every_disk(|disk| {
        let path = Path::new("a");
        let kind = |how| disk.open(path, how).map(drop).map_err(|error| error.kind());
        assert_eq!(kind(Open::Read), Err(ErrorKind::NotFound));
        assert_eq!(kind(Open::Write), Err(ErrorKind::NotFound));
        assert_eq!(kind(Open::CreateNew), Ok(()));
        assert_eq!(kind(Open::CreateNew), Err(ErrorKind::AlreadyExists));
        assert_eq!(kind(Open::Create), Ok(()));
        assert_eq!(kind(Open::Read), Ok(()));
        assert_eq!(disk.open(Path::new("no/b"), Open::Create).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn vectored_write_is_read_back_by_every_kind_of_read() {
    on_every_disk(|disk| {
        let file = file(disk, "a");
        // More pieces than one pwritev takes.
        let pieces: Vec<Vec<u8>> =
            (0..3000_u32).map(|i| i.to_be_bytes()[..(i % 5) as usize].to_vec()).collect();
        let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        file.write_at(&slices, 4093).unwrap();
        let expected = [vec![0; 4093], pieces.concat()].concat();
        assert_eq!(file.len().unwrap(), expected.len() as u64);
        assert_eq!(read(&*file, 100_000, 0), expected);
        file.sync_data().unwrap();
        for (start, len) in [(0, expected.len()), (1, 10), (4095, 5000), (expected.len() - 3, 100), (9999, 9)]
        {
            let end = expected.len().min(start + len);
            let mut direct = vec![0; len];
            let count = file.read_direct(&mut direct, start as u64).unwrap();
            assert_eq!(direct[..count], expected[start.min(end)..end], "direct {start} {len}");
            if let Some(count) = file.read_at_nowait(&mut direct, start as u64).unwrap() {
                assert_eq!(direct[..count], expected[start.min(end)..end], "nowait {start} {len}");
            }
        }
        assert_eq!(file.map(4090..5001).unwrap(), expected[4090..5001]);
        assert_eq!(file.map(0..1_000_000).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn mapped_write_is_seen_by_every_kind_of_read_and_needs_space() {
    on_every_disk(|disk| {
        let file = file(disk, "a");
        file.allocate(0..3_000_000).unwrap();
        let expected: Vec<u8> = (0..2_500_000_u32).map(|at| (at % 251) as u8).collect();
        for chunk in [0..10, 10..4096, 4096..5000, 5000..2_400_000, 2_400_000..2_500_000] {
            let (start, middle) = (chunk.start, usize::midpoint(chunk.start, chunk.end));
            let slices = [IoSlice::new(&expected[start..middle]), IoSlice::new(&expected[middle..chunk.end])];
            file.write_mapped(&slices, start as u64).unwrap();
        }
        assert!(read(&*file, 2_500_000, 0) == expected);
        let mut direct = vec![0; 2_500_000];
        file.sync_data().unwrap();
        assert_eq!(file.read_direct(&mut direct, 0).unwrap(), direct.len());
        assert!(direct == expected);
        assert_eq!(file.len().unwrap(), 3_000_000);
        let behind = file.write_mapped(&[IoSlice::new(b"ab")], 2_999_999).unwrap_err();
        assert_eq!(behind.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn mapping_outlives_the_file_and_its_name() {
    on_every_disk(|disk| {
        let file = file(disk, "a");
        write(&*file, b"hello", 0);
        let map = file.map(1..5).unwrap();
        drop(file);
        disk.remove(Path::new("a")).unwrap();
        assert_eq!(map, b"ello"[..]);
    });
}

#[test]
fn allocation_and_length_read_as_zeros() {
    on_every_disk(|disk| {
        let file = file(disk, "a");
        write(&*file, b"abc", 0);
        file.allocate(0..8192).unwrap();
        assert_eq!(file.len().unwrap(), 8192);
        assert_eq!(read(&*file, 6, 0), b"abc\0\0\0");
        file.set_len(2).unwrap();
        file.set_len(5).unwrap();
        assert_eq!(read(&*file, 9, 0), b"ab\0\0\0");
        write(&*file, &[7; 200_000], 0);
        file.zero_fill(1..199_999).unwrap();
        let contents = read(&*file, 200_000, 0);
        assert!(contents[1..199_999].iter().all(|byte| *byte == 0));
        assert_eq!((contents[0], contents[199_999]), (7, 7));
        file.start_writeback(0..200_000).unwrap();
        file.will_need(0..200_000).unwrap();
    });
}

#[test]
fn folders_list_rename_and_remove() {
    on_every_disk(|disk| {
        let path = Path::new;
        disk.create_dir_all(path("a/b")).unwrap();
        write(&*file(disk, "a/b/one"), b"1", 0);
        write(&*file(disk, "a/two"), b"2", 0);
        let names = |folder| {
            let entries = disk.list(path(folder)).unwrap();
            entries.into_iter().map(|entry| (entry.name, entry.is_dir)).collect::<Vec<_>>()
        };
        assert_eq!(names("a"), [("b".to_owned(), true), ("two".to_owned(), false)]);
        disk.rename(path("a/b"), path("c")).unwrap();
        assert_eq!(names("c"), [("one".to_owned(), false)]);
        disk.rename(path("c/one"), path("a/two")).unwrap();
        assert_eq!(read(&*disk.open(path("a/two"), Open::Read).unwrap(), 9, 0), b"1");
        disk.sync_dir(path("a")).unwrap();
        disk.sync_dir(path("")).unwrap();
        assert!(disk.remove_dir(path("a")).is_err());
        disk.remove(path("a/two")).unwrap();
        assert_eq!(disk.remove(path("a/two")).unwrap_err().kind(), ErrorKind::NotFound);
        disk.remove_dir(path("a")).unwrap();
        assert_eq!(names(""), [("c".to_owned(), true)]);
        assert_eq!(disk.list(path("a")).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn lock_is_refused_while_it_is_held() {
    on_every_disk(|disk| {
        let lock = disk.lock(Path::new("lock")).unwrap();
        let Err(LockError::Held { pid, .. }) = disk.lock(Path::new("lock")) else { panic!("locked twice") };
        assert_eq!(pid, Some(std::process::id()));
        drop(lock);
        disk.lock(Path::new("lock")).unwrap();
        let space = disk.space().unwrap();
        assert!(space.usable <= space.total && space.usable > 0);
    });
}

#[test]
fn replaced_file_has_the_new_contents_alone() {
    on_every_disk(|disk| {
        whole::replace(disk, Path::new("a"), b"something long").unwrap();
        whole::replace(disk, Path::new("a"), b"short").unwrap();
        assert_eq!(whole::read_direct(disk, Path::new("a")).unwrap(), b"short");
        assert_eq!(disk.list(Path::new("")).unwrap().len(), 1);
    });
}

/// Names the folder in which the other process of the next test fails.
const VICTIM: &str = "MAINSTEM_TEST_BUS_ERROR";

#[test]
fn durability_22_bus_error_names_file_and_offset_before_it_ends_the_process() {
    if let Some(folder) = std::env::var_os(VICTIM) {
        return touch_behind_the_end(&RealDisk::new(folder));
    }
    let folder = Folder::new();
    let name = "disk::tests::durability_22_bus_error_names_file_and_offset_before_it_ends_the_process";
    let victim = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(VICTIM, &folder.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&victim.stderr);
    let expected = format!("(SIGBUS): {} at byte 12388\n", folder.0.join("a").display());
    assert!(said.contains(&expected), "{said}");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&victim.status), Some(7));
}

fn touch_behind_the_end(disk: &dyn Disk) {
    let file = file(disk, "a");
    write(&*file, &[1; 20_000], 0);
    let map = file.map(4096..20_000).unwrap();
    file.set_len(10_000).unwrap();
    std::hint::black_box(map[8292]);
}

#[test]
fn files_and_folders_are_synced_together_however_many_and_gone_folders_are_passed_over() {
    on_every_disk(|disk| {
        for (round, count) in [3, 100].into_iter().enumerate() {
            let folder = PathBuf::from(format!("together-{round}"));
            disk.create_dir_all(&folder).unwrap();
            let open = |n: usize| disk.open(&folder.join(n.to_string()), Open::Create).unwrap();
            let files: Vec<_> = (0..count).map(open).collect();
            files.iter().for_each(|file| write(&**file, b"bytes", 0));
            disk.sync_all(&files, &[folder.clone(), PathBuf::new(), "gone".into()]).unwrap();
            assert!(files.iter().all(|file| read(&**file, 9, 0) == b"bytes"));
        }
    });
}

#[test]
fn len_of_a_file_is_that_of_its_open_descriptor() {
    on_every_disk(|disk| {
        write(&*file(disk, "measured"), b"four", 0);
        assert_eq!(disk.len_of(Path::new("measured")).unwrap(), 4);
        assert_eq!(disk.len_of(Path::new("none")).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn files_behind_a_link_to_another_file_system_are_noticed_where_all_are_synced_together() {
    let (folder, memory) = (Folder::new(), Path::new("/dev/shm"));
    let disk = RealDisk::new(&folder.0);
    std::os::unix::fs::symlink(memory, folder.0.join("link")).unwrap();
    let is_memory_elsewhere = device(memory) != device(&folder.0);
    let is_one = |name: &str| disk.is_one_file_system(&[file(&disk, "here")], &[name.into()]).unwrap();
    assert_eq!((is_one(""), is_one("gone"), is_one("link")), (true, true, !is_memory_elsewhere));
}

fn device(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(path).unwrap())
}
